"""How a step is read in C, and how what is read of the states becomes an answer."""

from __future__ import annotations

from elman.export.c.source import Source
from elman.runtime.classifier import Classifier, MultiScaleClassifier
from elman.runtime.scaling import Scaler
from elman.runtime.tensors import Floats


class Reading:
    """How a step is read: a token by a table, or numbers that are scaled first.

    Arguments:
        table: (V, I), of tokens.
        scaler: of numbers.
        size: I.
    """

    def __init__(self, size: int, table: Floats | None = None, scaler: Scaler | None = None) -> None:
        self.size, self.table, self.scaler = size, table, scaler

    @property
    def tokens(self) -> bool:
        """Whether a step is a token."""
        return self.table is not None

    def write(self, source: Source, number: int = 0) -> str:
        """The name of the C function that makes the input x of one step; it returns -1 where there is none."""
        name = f"read_input_{number}"
        if self.table is not None:
            source.use("embed")
            table, scale = source.matrix(self.table, by_columns=False)
            body = f"    embed({table}, {scale}, {self.size}, *input, x);"
            source.functions.append(f"static void {name}(const int *input, float *x) {{\n{body}\n}}")
            return name
        line = "x[j] = input[j];"
        if self.scaler is not None:
            mean, std, k = (
                source.vector(self.scaler.mean),
                source.vector(self.scaler.std),
                f"j % {len(self.scaler.mean)}",
            )
            line = f"x[j] = (input[j] - {mean}[{k}]) / {std}[{k}];"
        body = f"    int j;\n    for (j = 0; j < {self.size}; ++j) {line}"
        source.functions.append(f"static void {name}(const float *input, float *x) {{\n{body}\n}}")
        return name


class Answer:
    """How states become an answer: C statements from `float *output` after what is read of the states.

    Arguments:
        layers: linear layers, one after the other, with relu between.
        gains: what each is multiplied by.
        last: "softmax", "log_softmax" or "" for nothing.
    """

    def __init__(self, layers: list[tuple[Floats, Floats]], gains: list[float], last: str) -> None:
        self.layers, self.gains, self.last = layers, gains, last

    @property
    def width(self) -> int:
        """Numbers of an answer."""
        return len(self.layers[-1][0])

    @property
    def hidden(self) -> int:
        """Numbers between two layers; 1 where there is one."""
        return max([1, *(len(layer[0]) for layer in self.layers[:-1])])

    def write(self, source: Source, number: int = 0) -> str:
        """The name of the C function from what is read (and room for the layer between) to the output."""
        name, lines, given = f"say_{number}", list[str](), "read"
        for place, (layer, gain) in enumerate(zip(self.layers, self.gains, strict=True)):
            final = place == len(self.layers) - 1
            target = "output" if final else "between"
            source.linear(f"layer_{number}_{place}", layer, gain)
            lines.append(f"    apply(&layer_{number}_{place}, {given}, {target});")
            if not final:
                source.use("relu")
                lines.append(f"    relu_all(between, {len(layer[0])});")
            given = target
        if self.last:
            source.use(self.last)
            lines.append(f"    {self.last}(output, {self.width});")
        lines.insert(0, "    (void)between;")
        head = f"static void {name}(const float *read, float *between, float *output) {{"
        source.functions.append("\n".join([head, *lines, "}"]))
        return name


def answer_of(model: Classifier | MultiScaleClassifier, last: str = "softmax") -> Answer:
    """How a classifier answers; a head's gain on what it reads goes into the head's weights."""
    if model.head is None:
        gain = model.score_gain if isinstance(model, Classifier) else 1.0
        return Answer([model.output], [gain], last)
    gain = model.read_gain if isinstance(model, Classifier) else 1.0
    head = model.head[0] * gain, model.head[1]
    return Answer([(head[0].astype("float32"), head[1]), model.output], [1.0, 1.0], last)
