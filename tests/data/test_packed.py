"""Files that gzip or zstd has packed, wherever a text or a table is read."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest

from elman.data.io.columns import Columns
from elman.data.io.delimited import read_delimited
from elman.data.io.files import file_kind, read_content, reading_samples
from elman.data.io.labelled import read_parts, read_table
from elman.data.io.tables import read_table as read_frame
from elman.data.packed import packed_by, unpacked_name
from elman.data.text.blocks import text_pieces
from elman.data.text.corpora import open_corpus
from elman.data.text.parallel import read_pairs
from elman.errors import MissingPackageError, UserError

TEXT = 'text,label\nthe "good" film,yes\n"so\nbad, it was",no\nfüße 😀,yes\n'.replace('the "good"', "the good")
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": lambda raw: bytes(pyarrow.compress(raw, "zstd", asbytes=True)),
}
CHECKED = bytes.fromhex(
    "28b52ffd241bd90000746578742c6c6162656c0a676f6f642c7965730a6261642c6e6f0a0b39726e"
)  # with a checksum, which pyarrow reads but does not write


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_names_say_what_has_packed_a_file() -> None:
    assert [packed_by(Path(name)) for name in ("a.csv", "a.csv.GZ", "b.zst", "zst")] == ["", "gzip", "zstd", ""]
    assert [unpacked_name(name) for name in ("a.csv", "a.csv.GZ", "b.zst", "zst")] == ["a.csv", "a.csv", "b", "zst"]
    assert file_kind(Path("A.CSV.ZST")) == ".csv"


@pytest.mark.parametrize("ending", PACKERS)
def test_a_packed_file_is_what_it_holds(tmp_path: Path, ending: str) -> None:
    pack = PACKERS[ending]
    plain, packed = put(tmp_path / "a.csv", TEXT.encode()), put(tmp_path / f"b.csv{ending}", pack(TEXT.encode()))
    assert read_content(packed) == TEXT.encode()
    assert read_delimited(packed).records == read_delimited(plain).records
    assert read_frame(packed).equals(read_frame(plain))
    rows = [row[:2] for row in read_table(packed, Columns())]
    assert rows == [("the good film", "yes"), ("so\nbad, it was", "no"), ("füße 😀", "yes")]
    for part in ("train", "test"):
        put(tmp_path / "parts" / f"{part}.csv{ending}", pack(TEXT.encode()))
    parts, _ = read_parts(tmp_path / "parts", Columns())
    assert {part: len(inside) for part, inside in parts.items()} == {"train": 3, "test": 3}
    two = put(tmp_path / f"two{ending}", pack(b"one\n") + pack(b"two\n"))  # files that were joined
    assert "".join(text_pieces([two])) == read_content(two).decode() == "one\ntwo\n"
    with reading_samples(30, 1) as sample:
        assert read_content(packed) == TEXT.encode()[: TEXT.index("\n", 11) + 1]
    assert sample.cut == {packed: packed.stat().st_size}
    german = put(tmp_path / f"c.de{ending}", pack(b"ein Hund\n"))
    assert read_pairs([str(put(tmp_path / "c.en", b"a dog\n")), str(german)])[1] == ("en", "de")


@pytest.mark.parametrize("ending", PACKERS)
def test_a_packed_text_is_never_held_whole_by_a_language_model(tmp_path: Path, ending: str) -> None:
    path = put(tmp_path / f"a.txt{ending}", PACKERS[ending](TEXT.encode()))
    assert type(open_corpus([str(path)], 0.1)).__name__ == "LargeCorpus"


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("harm", ["cut", "nearly whole", "another kind", "zeros", "empty"])
def test_a_damaged_file_is_refused_by_every_reader(tmp_path: Path, ending: str, harm: str) -> None:
    whole = CHECKED if (ending, harm) == (".zst", "zeros") else PACKERS[ending](os.urandom(3000).hex().encode())
    harmed = {
        "cut": whole[: len(whole) // 2],
        "nearly whole": whole[:-1],
        "another kind": b"<html>not found</html>",
        "zeros": whole[:20] + bytes(3) + whole[23:],
        "empty": b"",
    }
    path = put(tmp_path / f"a.csv{ending}", harmed[harm])
    what = "is empty; give a file with something in it" if harm == "empty" else "is damaged .*; get a whole copy"
    for read in (read_content, read_delimited, lambda path: list(text_pieces([path]))):
        with pytest.raises(UserError, match=f"{path.name} {what}"):
            read(path)


def test_without_pyarrow_a_zstd_file_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "a.csv.zst", PACKERS[".zst"](TEXT.encode()))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r'this needs pyarrow; pip install "elman\[timeseries\]"'):
        read_content(path)
