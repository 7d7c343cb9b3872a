"""The native library through its C interface (`elman.h`), with numpy arrays: the vanilla recurrence and its decoder.

Where it was not built, `load_library` gives None, and the recurrence runs in numpy.
T steps, B sequences, I inputs, H hidden units, D directions, L layers, V vocabulary, S sequences of a decoder.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

import elman
from elman.errors import one_line_of
from elman.runtime.tensors import Array, Floats, Integers

ABI = 8  # ELMAN_ABI in elman.h
NONLINEARITIES = {"tanh": 0, "relu": 1}
THREADS = 1
"""Of a call: a server answers many at once, and one short sequence is not worth a second thread."""
_pack_call = struct.Struct("=36q").pack  # elman_call, whose every field is eight bytes wide


@cache
def load_library() -> ctypes.CDLL | None:
    """The native library of this installation; None, said once, where there is none or one of another version."""
    library, why = find_library()
    if library is None:
        import logging

        logging.getLogger("elman").warning("%s; the recurrence runs in numpy, slower", why)
    return library


@cache
def find_library() -> tuple[ctypes.CDLL | None, str]:
    """The same, or None and why, which is said to nobody."""
    for folder in elman.__path__:
        for path in sorted((Path(folder) / "kernels").glob("libelman.*")):
            try:
                library = ctypes.CDLL(str(path))
            except OSError as error:
                return None, f"{path} cannot be loaded ({one_line_of(str(error))})"
            if library.elman_abi() != ABI:
                return None, f"{path} is of another version of elman"
            return _declared(library), ""
    return None, "elman was installed without its native library"


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, integer = ctypes.c_void_p, ctypes.c_int64
    library.elman_forward.argtypes = [ctypes.c_char_p, integer]
    library.elman_decoder_new.restype, library.elman_decoder_new.argtypes = pointer, [ctypes.c_char_p]
    library.elman_decoder_free.restype, library.elman_decoder_free.argtypes = None, [pointer]
    library.elman_decoder_generate.argtypes = [
        *(pointer, integer, integer, pointer, pointer),
        *(ctypes.c_char_p, pointer, integer),
    ]
    return library


def address(array: Array | None) -> int:
    """Where its numbers lie; 0, which is null, for None."""
    place: int = 0 if array is None else array.__array_interface__["data"][0]
    return place


class Layer:
    """One layer of the vanilla recurrence in every direction, its weights where they lie.

    Arguments:
        weights: of each direction w_ih (H, I), w_hh (H, H), and the sum of the biases (H,).
        nonlinearity: "tanh" or "relu".
        residual: h_t = h_(t-1) + f(a_t).
    """

    def __init__(
        self,
        library: ctypes.CDLL,
        weights: Sequence[tuple[Floats, Floats, Floats]],
        nonlinearity: str,
        residual: bool,
    ) -> None:
        self._forward = library.elman_forward
        self._kept = weights
        self._pointers = [tuple(map(address, one)) for one in weights]
        self._form = NONLINEARITIES[nonlinearity], int(residual)
        self.H = len(weights[0][1])

    def __call__(self, x: Floats, h0: Floats | None, lengths: Integers | None) -> tuple[Floats, Floats]:
        """Run over a batch.

        Arguments:
            x: (T, B, I), contiguous.
            h0: (D, B, H), contiguous; None is zeros.
            lengths: (B,), each 0 to T; None is T.

        Returns:
            the states (T, B, D * H), zero past an end, and the last of each sequence (D, B, H).
        """
        (T, B, I), H, D = x.shape, self.H, len(self._pointers)
        h, last = np.empty((T, B, D * H), np.float32), np.empty((D, B, H), np.float32)
        at_x, at_h0, at_h, at_last, row = address(x), address(h0), address(h), address(last), 4 * H
        (function, residual), at_lengths = self._form, address(lengths)
        calls = b""
        for d, (w_ih, w_hh, bias) in enumerate(self._pointers):
            calls += _pack_call(
                *(T, B, I, H, 0, function, d, residual, THREADS, at_x, B * I, I, 1),
                *(at_h0 and at_h0 + d * B * row, w_ih, w_hh, bias, 0, at_lengths, 0),
                *(at_h + d * row, B * D * H, D * H, at_last + d * B * row, *(0,) * 12),
            )
        status = self._forward(calls, D)
        if status:
            raise MemoryError("not enough memory for the recurrence's working buffers")
        return h, last


class Decoder:
    """A stack of layers packed once, to write texts. Calls on one may not overlap in time.

    Arguments:
        layers: w_ih, w_hh and bias of each, from the bottom up.
        table: (V, H) each token's share of the bottom layer's sum, in place of its w_ih and bias.
        output: weight (V, H) and bias (V,) of the layer that writes tokens.
    """

    def __init__(
        self,
        library: ctypes.CDLL,
        layers: Sequence[tuple[Floats, Floats, Floats]],
        nonlinearity: str,
        residual: bool,
        table: Floats,
        output: tuple[Floats, Floats],
    ) -> None:
        self._library = library
        w_out, b_out = output
        self._kept = layers, table, output  # the native side reads them where they lie
        columns = [(ctypes.c_int64 * len(layers))(*(address(one[part]) for one in layers)) for part in range(3)]
        columns[0][0] = columns[2][0] = 0  # they are in the table
        spec = struct.pack(
            "=13q",
            *(
                len(layers),
                0,
                len(layers[0][1]),
                len(w_out),
                NONLINEARITIES[nonlinearity],
                int(residual),
                0,
                address(table),
            ),
            *map(ctypes.addressof, columns),
            *(address(w_out), address(b_out)),
        )
        self._decoder = library.elman_decoder_new(spec)
        if not self._decoder:
            raise MemoryError("not enough memory to pack the weights")

    def __del__(self) -> None:
        if getattr(self, "_decoder", None):
            self._library.elman_decoder_free(self._decoder)

    def generate(
        self, first: int, state: Floats, length: int, temperature: float, top_k: int, top_p: float, seed: int, draw: int
    ) -> Integers:
        """`length` tokens that go on from the token `first`; state (L, 1, H) becomes that before the last of them.

        Arguments:
            draw: the number of the first draw, where a text goes on.
        """
        tokens, begin = np.empty(length, np.int64), np.array([first], np.int64)
        params = struct.pack("=ddqQQ", temperature, top_p, top_k, seed & ((1 << 64) - 1), draw)
        places = address(begin), address(state), params, address(tokens)
        if self._library.elman_decoder_generate(self._decoder, 1, length, *places, THREADS):
            raise MemoryError("not enough memory for the decoder's working buffers")
        return tokens
