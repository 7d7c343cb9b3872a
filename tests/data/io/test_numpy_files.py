"""Files of arrays that claim more than they hold, or hold something else."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from elman.data.io.numpy_files import read_npy_array, read_npz_arrays
from elman.errors import UserError


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3, 2)), np.zeros((0, 3))])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_what_numpy_writes(array: np.ndarray, save: object, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=array, names=np.array(["a", "bc"]), one=np.array(5))
    read = read_npz_arrays(tmp_path / "a.npz")
    np.save(tmp_path / "a.npy", array)
    for found in (read["x"], read_npy_array(tmp_path / "a.npy")):
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype
    assert read["names"].tolist() == ["a", "bc"]
    assert read["one"].shape == ()


def npy(shape: str, content: bytes = b"") -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


@pytest.mark.parametrize(
    "raw",
    [npy("(100000, 100000, 100)"), npy("(-1, 2)"), npy("(2,"), npy("'x'"), b"", b"nonsense", npy("(4,)", b"12345678")],
)
def test_a_header_that_claims_too_much(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(raw)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("x.npy", raw)
    with pytest.raises(UserError, match=r"damaged|empty"):
        read_npy_array(tmp_path / "a.npy")
    with pytest.raises(UserError, match="damaged"):
        read_npz_arrays(tmp_path / "a.npz")


def test_entries_that_cannot_be_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.eye(2))
    for offset_local, offset_central, value in ((6, 8, 1), (8, 10, 97)):  # encrypted; a method that nobody has
        raw = bytearray(buffer.getvalue())
        for start, offset in ((raw.index(b"PK\x03\x04"), offset_local), (raw.index(b"PK\x01\x02"), offset_central)):
            raw[start + offset] = value
        (tmp_path / "a.npz").write_bytes(raw)
        with pytest.raises(UserError):
            read_npz_arrays(tmp_path / "a.npz")


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="Python objects"):
        read_npz_arrays(tmp_path / "a.npz")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(UserError, match="pipe"):
        read_npz_arrays(tmp_path / "a.npz")
