"""What a file may ask for: memory, time and names are bounded, and a refusal is one line."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from elman.data.audio.io import read_sound
from elman.data.audio.recordings import read_folder
from elman.data.image.captions import read_captions
from elman.data.image.io import picture_files
from elman.data.io import files
from elman.data.io.arrays import read_npz
from elman.data.io.columns import Columns
from elman.data.io.files import list_folder, read_bytes, read_packed
from elman.data.io.labelled import read_parts
from elman.data.io.tables import read_table
from elman.data.text.classification import read_labelled_text
from elman.data.text.corpora import read_corpus
from elman.errors import UserError

COLUMNS = Columns()


def put(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_what_is_packed_far_better_than_data_are(tmp_path: Path) -> None:
    bomb = put(tmp_path / "a.csv.gz", gzip.compress(bytes(100 << 20), 9))
    with pytest.raises(UserError, match="more than 200 times"):
        read_parts(bomb, COLUMNS)
    small = put(tmp_path / "b.gz", gzip.compress(b"a" * (1 << 20)))
    assert len(read_packed(small)) == 1 << 20
    with pytest.raises(UserError, match="holds more than 1,000 bytes"):
        read_packed(small, 1000)
    with pytest.raises(UserError, match="is empty"):
        read_packed(put(tmp_path / "c.gz", gzip.compress(b"")))


def test_a_file_larger_than_any_that_is_read(tmp_path: Path) -> None:
    with open(tmp_path / "a.csv", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UserError, match="at most"):
        read_parts(tmp_path / "a.csv", COLUMNS)


def test_files_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "in" / "a.csv", "text,label\na,b\n")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    for name, act in (("read_bytes", read_bytes), ("stat", files.path_kind)):
        with monkeypatch.context() as patched:
            patched.setattr(Path, name, refuse)
            with pytest.raises(UserError, match=r"cannot (read|look at) .*permission denied; check"):
                act(path)
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UserError, match=r"cannot read .*permission denied"):
        list_folder(tmp_path / "in")


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".csv", "a\0b"])
def test_names_that_no_file_has(name: str, tmp_path: Path) -> None:
    from elman.data.timeseries.classification import read_sequences

    path = tmp_path / name
    for act in (
        lambda: read_parts(path, COLUMNS),
        lambda: read_labelled_text(path),
        lambda: read_folder(path),
        lambda: read_sound(path, 8000),
        lambda: read_sequences(path),
        lambda: picture_files([path]),
        lambda: read_captions(path),
        lambda: read_corpus([str(path)], 0.1),
    ):
        with pytest.raises(UserError):
            act()


@pytest.mark.parametrize("text", ["a\nb", "x" * 100_000, "x " * 50_000, "a\u2028b\rc"])
def test_a_message_is_one_line(text: str) -> None:
    message = str(UserError(f"cannot read {text}; mend it"))
    assert len(message.splitlines()) == 1
    assert len(message) <= 2000
    assert message.startswith("cannot read ")
    assert message.endswith("; mend it")
    assert str(UserError("`lr` is -1")) == "`lr` is -1"


def test_an_npz_that_claims_terabytes(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((2, 3)), y=np.array([1, 2]))
    raw = bytearray((tmp_path / "a.npz").read_bytes())
    central = raw.index(b"PK\x01\x02")
    raw[central + 24 : central + 28] = b"\xfe\xff\xff\xff"  # 4 GiB of one entry
    with pytest.raises(UserError, match="holds more than 1,073,741,824 bytes"):
        read_npz(put(tmp_path / "b.npz", bytes(raw)))
    array = io.BytesIO()
    np.save(array, np.eye(2))
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as file:
        file.writestr("x.npy", array.getvalue())
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("x.npy", array.getvalue())
    with pytest.raises(UserError, match="two arrays called 'x'"):
        read_npz(tmp_path / "c.npz")


def test_texts_of_characters_that_there_are_not(tmp_path: Path) -> None:
    names = np.array(["a", "b"]).view(np.uint32)
    names[0] = 0x110000
    np.savez(tmp_path / "a.npz", names=names.view("<U1"), features=np.eye(2))
    from elman.data.image.features import read_features

    with pytest.raises(UserError, match="characters that there are not"):
        read_features(tmp_path / "a.npz")


def test_a_parquet_of_a_thousand_million_cells(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({"time": pa.array(np.zeros(1 << 20, np.int8)), "value": pa.array(np.zeros(1 << 20, np.int8))})
    with parquet.ParquetWriter(tmp_path / "a.parquet", table.schema, compression="zstd") as writer:
        for _ in range(16):
            writer.write_table(table)
    with pytest.raises(UserError, match="claims 33,554,432 cells"):
        read_table(tmp_path / "a.parquet")


def test_a_parquet_whose_texts_are_none(tmp_path: Path) -> None:
    import pandas as pd

    pd.DataFrame({"time": ["2020-01-05", "2020-01-06"], "value": [1.5, 2.5]}).to_parquet(
        tmp_path / "a.parquet", compression=None
    )
    raw = (tmp_path / "a.parquet").read_bytes()
    assert read_table(tmp_path / "a.parquet")["time"].tolist() == ["2020-01-05", "2020-01-06"]
    with pytest.raises(UserError, match="cannot be read as parquet"):
        read_table(put(tmp_path / "b.parquet", raw.replace(b"2020-01-05", b"2020-0\xff-05")))
