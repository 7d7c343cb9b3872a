"""Language models, classifiers and transcribers in C: read step by step, or a whole sequence at once."""

from __future__ import annotations

from elman.errors import UserError
from elman.export.c.program import Program, program
from elman.export.c.recurrent import work_size, write_recurrent
from elman.export.c.source import Source, float_text
from elman.runtime.classifier import Classifier, Ensemble, MultiScaleClassifier
from elman.runtime.recurrent import Recurrent
from elman.runtime.scaling import Scaler
from elman.runtime.tensors import Floats

Facts = dict[str, str]
STEPS_CALLS = """
/* Begin a sequence. */
void {name}_reset({name} *s);

/* Read one step{what}. Returns 0, or -1 where it cannot be one. */
int {name}_read({name} *s, {argument});

/* The answer to all steps so far, {outputs} numbers: {answer}. */
void {name}_answer({name} *s, float *output);
"""
WHOLE_CALLS = """
/* Read a sequence of 1 to {NAME}_MOST_STEPS steps{what}, and answer: {answer}.
   Returns 0, or -1 where it cannot be one. */
int {name}_all({name} *s, {argument}, int steps, float *output);
"""


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
            line = f"x[j] = (input[j] - {source.vector(self.scaler.mean)}[j % {len(self.scaler.mean)}]) / {source.vector(self.scaler.std)}[j % {len(self.scaler.std)}];"
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


def _pooling(source: Source, readout: str, attention: tuple[Floats, Floats] | None, number: int = 0) -> tuple[str, str]:
    """C of taking a state `h` into `p`, and of reading `p` into `read`; empty for the last state."""
    if readout == "last":
        return "", ""
    if attention is not None:
        source.use("pool_attention")
        weights = source.vector(attention[0])
        return f"pool_state(p, {weights}, {float_text(float(attention[1][0]))}, h);", "read_pool(p, read);"
    source.define(READ_MEAN=int("mean" in readout), READ_SUM=int(readout == "sum"), READ_MAX=int("max" in readout))
    source.use("pool")
    return "pool_state(p, h);", "read_pool(p, read);"


def write_steps(
    source: Source,
    facts: Facts,
    recurrent: Recurrent,
    reading: Reading,
    answer: Answer,
    said: str,
    what: str,
    readout: str = "last",
    attention: tuple[Floats, Floats] | None = None,
) -> Program:
    """A model that reads step by step: its answer to all so far can be asked for at any time."""
    name, pooled = source.name, readout != "last"
    (cells,) = write_recurrent(source, [recurrent])
    source.use("streamed")
    push, pull = _pooling(source, readout, attention)
    read = recurrent.output_size * (2 if readout == "mean-max" else 1)
    state, layers = recurrent.H * recurrent.parts, len(recurrent.layers)
    fields = [f"float h[{layers * state}], work[{work_size(recurrent)}], x[{reading.size}];"]
    fields.append(f"float read[{read}], between[{answer.hidden}];")
    structs = ""
    if pooled:
        structs = f"typedef struct {{\n    float count, top, sum[{recurrent.H}], largest[{recurrent.H}];\n}} {name}_pooled;\n\n"
        fields.append(f"{name}_pooled pooled;")
    reader, say = reading.write(source), answer.write(source)
    argument = "int token" if reading.tokens else "const float *input"
    source.functions.append(f"void {name}_reset({name} *s) {{ memset(s, 0, sizeof *s); }}")
    check = _check(reading, "1", "token") if reading.tokens else _check(reading, str(reading.size), "input[j]")
    given = "&token" if reading.tokens else "input"
    after = "    pool_state_in(s, step_layers(s, {0}, s->x));" if pooled else "    step_layers(s, {0}, s->x);"
    if pooled:
        source.functions.append(
            f"static void pool_state_in(STATE *s, const float *h) {{\n    pooled *p = &s->pooled;\n    {push}\n}}"
        )
    local = "" if reading.tokens else "    int j;\n"
    source.functions.append(
        f"int {name}_read({name} *s, {argument}) {{\n{local}{check}    {reader}({given}, s->x);\n{after.format(cells)}\n    return 0;\n}}"
    )
    top = f"s->h + {(layers - 1) * state}"
    lines = [f"    {say}({top}, s->between, output);"]
    if pooled:
        lines = [
            "    const pooled *p = &s->pooled;",
            "    float *read = s->read;",
            f"    {pull}",
            f"    {say}(read, s->between, output);",
        ]
    source.functions.append(f"void {name}_answer({name} *s, float *output) {{\n" + "\n".join(lines) + "\n}")
    struct = f"{structs}typedef struct {{\n    " + "\n    ".join(fields) + f"\n}} {name};"
    sizes = f"enum {{ {name.upper()}_INPUTS = {_inputs(reading)}, {name.upper()}_OUTPUTS = {answer.width} }};\n\n"
    calls = STEPS_CALLS.format(name=name, argument=argument, outputs=answer.width, answer=said, what=what)
    return _finished(source, facts, sizes + struct, calls, "steps", reading, answer.width, pooled)


def write_whole(
    source: Source,
    facts: Facts,
    members: list[Classifier | MultiScaleClassifier],
    readings: list[Reading],
    said: str,
    what: str,
    most: int,
    scaler: Scaler | None = None,
) -> Program:
    """A classifier that needs the whole sequence: both directions, several time scales, or several networks."""
    name, first = source.name, members[0]
    networks = [
        net for one in members for net in (one.recurrent if isinstance(one, MultiScaleClassifier) else [one.recurrent])
    ]
    cells = iter(write_recurrent(source, networks))
    source.use("whole")
    tokens, size, readout = readings[0].tokens, networks[0].output_size, first.readout
    answers = [answer_of(one) for one in members]
    each = size * (2 if readout == "mean-max" else 1)
    parts = len(first.recurrent) if isinstance(first, MultiScaleClassifier) else 1
    kind = "int" if tokens else "float"
    pooled = readout != "last"
    views = write_views(source, first, scaler) if isinstance(first, MultiScaleClassifier) else ""
    number = 0
    runs: list[str] = []
    for place, (member, answer) in enumerate(zip(members, answers, strict=True)):
        lines = []
        attentions = member.attention if isinstance(member, MultiScaleClassifier) else [member.attention]
        order = range(parts)
        own = [next(cells) for _ in order]
        for slot, part in enumerate(reversed(order)):
            if not views:
                reader = readings[place].write(source, place)
                source.functions.append(
                    f"static void read_step_{place}(const void *data, int t, float *x) {{\n"
                    f"    {reader}((const {kind} *)data + (size_t)t * {1 if tokens else readings[place].size}, x);\n}}"
                )
                call = f"run_layers(s, {own[part]}, read_step_{place}, input, T)"
                count = "T"
            else:
                assert isinstance(first, MultiScaleClassifier)
                stride = first.strides[part]
                count = f"((T + {first.averaged - 1}) / {first.averaged} + {stride - 1}) / {stride}"
                call = f"run_layers(s, {own[part]}, read_patch, view_of(&v, input, T, {stride}), {count})"
            push, pull = _pooling(source, readout, attentions[part], number)
            number += 1
            lines.append(f"    states = {call};\n    count = {count};\n    read = s->read + {slot * each};")
            if pooled:
                lines.append(
                    f"    p->count = 0.0f;\n    for (t = 0; t < count; ++t) {{\n        const float *h = states + (size_t)t * SIZE;\n        {push}\n    }}\n    {pull}"
                )
            else:
                lines.append(
                    "    for (j = 0; j < SIZE; ++j) read[j] = states[(j < HIDDEN ? (size_t)(count - 1) * SIZE : 0) + (size_t)j];"
                )
        say = answer.write(source, place)
        lines.append(f"    {say}(s->read, s->between, output);")
        local = ["    const float *states;", "    float *read;", "    int count;"]
        local += ["    pooled *p = &s->pooled;", "    int t;"] if pooled else ["    int j;"]
        local += ["    view v;"] if views else []
        source.functions.append(
            f"static void ask_{place}(STATE *s, const {kind} *input, int T, float *output) {{\n"
            + "\n".join([*local, *lines])
            + "\n}"
        )
        runs.append(f"ask_{place}(s, input, steps, s->said);")
    width, K = answers[0].width, len(members)
    checks = f"    if (!input || steps < 1 || steps > {name.upper()}_MOST_STEPS) return -1;\n"
    checks += _check(readings[0], "steps" if tokens else f"steps * {readings[0].size}", "input[j]")
    body = f"    for (j = 0; j < {width}; ++j) output[j] = 0.0f;\n"
    for run in runs:
        body += f"    {run}\n    for (j = 0; j < {width}; ++j) output[j] += s->said[j] / {float(K):g}.0f;\n"
    argument = f"const {kind} *input"
    source.functions.append(
        f"int {name}_all({name} *s, {argument}, int steps, float *output) {{\n    int j;\n{checks}{body}    return 0;\n}}"
    )
    structs = (
        f"typedef struct {{\n    float count, top, sum[{size}], largest[{size}];\n}} {name}_pooled;\n\n"
        if pooled
        else ""
    )
    between, widest = max(answer.hidden for answer in answers), max(net.input_size for net in networks)
    state, work = networks[0].H * networks[0].parts, work_size(networks[0])
    fields = [
        f"float h[{state}], work[{work}], x[{widest}], read[{parts * each}], between[{between}], said[{width}];",
        f"float states[2][{name.upper()}_MOST_STEPS * {size}];",
        *([f"{name}_pooled pooled;"] if pooled else []),
    ]
    struct = f"{structs}typedef struct {{\n    " + "\n    ".join(fields) + f"\n}} {name};"
    sizes = (
        f"/* Define it before this header is read, everywhere alike, to change the longest sequence. */\n#ifndef {name.upper()}_MOST_STEPS\n"
        f"#define {name.upper()}_MOST_STEPS {most}\n#endif\n\n"
        f"enum {{ {name.upper()}_INPUTS = {_inputs(readings[0])}, {name.upper()}_OUTPUTS = {width} }};\n\n"
    )
    calls = WHOLE_CALLS.format(name=name, NAME=name.upper(), argument=argument, answer=said, what=what)
    return _finished(source, facts, sizes + struct, calls, "whole", readings[0], width, pooled)


def write_transcriber(
    source: Source,
    facts: Facts,
    recurrent: Recurrent,
    reading: Reading,
    answer: Answer,
    said: str,
    what: str,
    most: int,
) -> Program:
    """A transcriber in both directions: the scores of every step of a whole recording."""
    name = source.name
    (cells,) = write_recurrent(source, [recurrent])
    source.use("whole")
    reader, say = reading.write(source), answer.write(source)
    I, V = reading.size, answer.width
    source.functions.append(
        f"static void read_step(const void *data, int t, float *x) {{\n    {reader}((const float *)data + (size_t)t * {I}, x);\n}}"
    )
    source.functions.append(
        f"int {name}_all({name} *s, const float *input, int steps, float *output) {{\n    const float *states;\n    int j, t;\n"
        f"    if (!input || steps < 1 || steps > {name.upper()}_MOST_STEPS) return -1;\n"
        f"{_check(reading, f'steps * {I}', 'input[j]')}    states = run_layers(s, {cells}, read_step, input, steps);\n"
        f"    for (t = 0; t < steps; ++t) {say}(states + (size_t)t * SIZE, s->between, output + (size_t)t * {V});\n    return 0;\n}}"
    )
    state = recurrent.H * recurrent.parts
    struct = (
        f"/* Define it before this header is read, everywhere alike, to change the longest sequence. */\n#ifndef {name.upper()}_MOST_STEPS\n"
        f"#define {name.upper()}_MOST_STEPS {most}\n#endif\n\n"
        f"enum {{ {name.upper()}_INPUTS = {I}, {name.upper()}_OUTPUTS = {V} }};\n\ntypedef struct {{\n"
        f"    float h[{state}], work[{work_size(recurrent)}], x[{I}], between[1];\n"
        f"    float states[2][{name.upper()}_MOST_STEPS * {recurrent.output_size}];\n}} {name};"
    )
    calls = WHOLE_CALLS.format(name=name, NAME=name.upper(), argument="const float *input", answer=said, what=what)
    return _finished(source, facts, struct, calls, "every", reading, V, False)


def write_views(source: Source, model: MultiScaleClassifier, scaler: Scaler | None) -> str:
    """C that cuts patches of a scaled series and of its differences, as they are read; the name of its type."""
    if scaler is None:
        raise UserError("a series without a scale has no form in C")
    mean, std, usual = source.vector(scaler.mean), source.vector(scaler.std), source.vector(model.difference)
    channels, patch = len(scaler.mean), 8
    source.functions.append(f"""typedef struct {{
    const float *input;
    int T, stride;
}} view;

static const void *view_of(view *v, const float *input, int T, int stride) {{
    v->input = input, v->T = T, v->stride = stride;
    return v;
}}

/* Channel c of step t, scaled; from {channels} on its difference from the step before. */
static float channel(const view *v, int t, int c) {{
    const float *now = v->input + (size_t)t * {channels};
    const int k = c % {channels};
    if (c < {channels}) return (now[k] - {mean}[k]) / {std}[k];
    return t ? ((now[k] - {mean}[k]) / {std}[k] - (now[k - {channels}] - {mean}[k]) / {std}[k]) / {usual}[k] : 0.0f;
}}

/* Patch n: {patch} strides of {model.averaged} steps' means, of all channels and differences; 0 beyond both ends. */
static void read_patch(const void *data, int n, float *x) {{
    const view *v = (const view *)data;
    const int size = {patch} * v->stride, first = n * v->stride - (size - v->stride) / 2;
    int c, o, t;
    for (c = 0; c < {2 * channels}; ++c)
        for (o = 0; o < size; ++o) {{
            const int from = (first + o) * {model.averaged};
            float sum = 0.0f;
            if (from >= 0)
                for (t = from; t < from + {model.averaged} && t < v->T; ++t) sum += channel(v, t, c);
            x[c * size + o] = sum / {float(model.averaged):g}.0f;
        }}
}}""")
    return "view"


def _check(reading: Reading, count: str, each: str) -> str:
    """C that returns -1 where an input is no token, or not finite."""
    wrong = f"!({each} - {each} == 0.0f)"
    if reading.table is not None:
        wrong = f"{each} < 0 || {each} >= {len(reading.table)}"
    loop = "" if each == "token" else f"    for (j = 0; j < {count}; ++j)\n    "
    return f"{loop}    if ({wrong}) return -1;\n"


def _inputs(reading: Reading) -> int:
    return len(reading.table) if reading.table is not None else reading.size


def _finished(
    source: Source, facts: Facts, state: str, calls: str, kind: str, reading: Reading, width: int, pooled: bool
) -> Program:
    source.pooled = pooled
    return program(
        source, facts, state, calls, kind=kind, inputs=_inputs(reading), outputs=width, tokens=reading.tokens
    )


def members_of(model: Classifier | MultiScaleClassifier | Ensemble) -> list[Classifier | MultiScaleClassifier]:
    """The networks of a classifier."""
    return list(model.members) if isinstance(model, Ensemble) else [model]
