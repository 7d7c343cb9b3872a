"""One C source file as it grows: numbers as data, the parts of the engine in use, and the model's own functions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from elman.errors import UserError
from elman.runtime.tensors import Array, Floats

PARTS = Path(__file__).parent / "parts"
NEEDS: dict[str, tuple[str, ...]] = {
    "tanh": ("power", "power_lanes"),
    "sigmoid": ("power", "power_lanes"),
    "softmax": ("power",),
    "log_softmax": ("power",),
    "cell_lstm": ("cell", "tanh", "sigmoid"),
    "cell_gru": ("cell", "tanh", "sigmoid"),
    "cell_rnn": ("cell",),
    "cell_norm": ("cell",),
    "pool_attention": ("power",),
}
"""Parts of the engine, and those that must stand before them."""
PRECISIONS = ("float32", "int8")
MOST_NUMBERS = 50_000_000
"""Of a file: larger ones are no source that a compiler reads."""
_ROW = 12


class Source:
    """A C source file.

    Arguments:
        name: what all public names begin with.
        precision: "float32", or "int8": whole numbers with a scale for each row of a matrix.
    """

    def __init__(self, name: str, precision: str) -> None:
        self.name, self.precision = name, precision
        self._data: list[str] = []
        self._numbers = 0
        self._parts = ["base", "lanes", f"multiply_{precision}"]
        self._defines: dict[str, int] = {"SCALED": int(precision == "int8")}
        self._tables: list[str] = []
        self.functions: list[str] = []
        self.pooled = False

    def define(self, **values: int) -> None:
        """Sizes and choices that the parts read."""
        self._defines.update(values)

    def use(self, *parts: str) -> None:
        """Parts of the engine, and what they need."""
        for part in parts:
            if part not in self._parts:
                self.use(*NEEDS.get(part, ()))
                self._parts.append(part)

    def vector(self, values: Array) -> str:
        """The name of an array of floats."""
        return self._array(
            "float", (float_text(value) for value in np.asarray(values).reshape(-1).tolist()), values.size
        )

    def doubles(self, values: Array) -> str:
        """The name of an array of doubles."""
        numbers = np.asarray(values, np.float64).reshape(-1).tolist()
        return self._array("double", map(repr, numbers), values.size)

    def matrix(self, w: Floats, gain: float = 1.0, *, by_columns: bool = True) -> tuple[str, str]:
        """The names of the weights of W (rows, columns) and of the scale of its rows, NULL where there is none."""
        if self.precision == "float32":
            scaled = w * np.float32(gain)
            return self.vector(scaled.T if by_columns else scaled), "NULL"
        whole, scale = quantized(w)
        laid = (whole.T if by_columns else whole).reshape(-1).tolist()
        return self._array("weight", map(str, laid), w.size), self.vector(scale * np.float32(gain))

    def table(self, text: str) -> None:
        """A constant made of arrays, such as the cells of a network."""
        self._tables.append(text)

    def linear(self, name: str, layer: tuple[Floats, Floats], gain: float = 1.0) -> None:
        """A linear layer as the constant `name`."""
        self.use("linear")
        (rows, columns), bias = layer[0].shape, self.vector(layer[1] * np.float32(gain))
        w, scale = self.matrix(layer[0], gain)
        self.table(f"static const linear {name} = {{{w}, {scale}, {bias}, {rows}, {columns}}};")

    def text(self, head: str) -> str:
        """The whole file.

        Arguments:
            head: a comment that says what it is.
        """
        parts = [(PARTS / f"{part}.c").read_text(encoding="utf-8").rstrip() for part in self._parts]
        defines = "\n".join(f"#define {name} {value}" for name, value in self._defines.items())
        includes = "#include <math.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <string.h>"
        types = f"typedef {self.name} STATE;" + (f"\ntypedef {self.name}_pooled pooled;" if self.pooled else "")
        blocks = [head, f'#include "{self.name}.h"\n\n{includes}', defines, types, *parts, *self._data, *self._tables]
        return "\n\n".join([*blocks, *self.functions]) + "\n"

    def _array(self, kind: str, words: Iterable[str], size: int) -> str:
        self._numbers += size
        if self._numbers > MOST_NUMBERS:
            raise UserError(
                f"the run has more than {MOST_NUMBERS:,} numbers, too many for a C source; export it to onnx"
            )
        name, listed = f"n{len(self._data)}", list(words) or ["0"]
        rows = (", ".join(listed[place : place + _ROW]) for place in range(0, len(listed), _ROW))
        self._data.append(f"static const {kind} {name}[] = {{\n    " + ",\n    ".join(rows) + "};")
        return name


def quantized(w: Floats) -> tuple[Array, Floats]:
    """Whole numbers from -127 to 127 (rows, columns), and the scale of each row (rows,)."""
    largest = np.abs(w).max(axis=1, initial=0)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(w / scale[:, None]).astype(np.int8), scale


def rounded(w: Floats) -> Floats:
    """W as int8 gives it back."""
    whole, scale = quantized(w)
    return whole.astype(np.float32) * scale[:, None]


def checked_name(name: str) -> str:
    """A file's name without its ending, which all public names begin with.

    Raises:
        UserError: no name of C can begin so.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,60}", name):
        raise UserError(f"`out` is named {name[:60]!r}, which no name in C begins with; take letters, digits and _")
    return name


def float_text(value: float) -> str:
    """A number as a C float."""
    text = f"{value:.9g}"
    return text + ("f" if "." in text or "e" in text else ".0f")
