"""Reading text: what is there comes back exactly, what is wrong is named with its place."""

import gzip
import os
import subprocess

import pytest

from elman.data.io.text import builtin_text, read_text, split_text
from elman.errors import UserError


def written(path, raw):
    path.write_bytes(raw)
    return path


def test_files_are_joined_in_order_and_newlines_stay(tmp_path):
    first = written(tmp_path / "b.txt", "one\r\ntwo é".encode())
    second = written(tmp_path / "a.txt", b"\xef\xbb\xbfthree\n")  # with the mark that some editors put first
    third = written(tmp_path / "c.txt", b"four")
    assert read_text([first, second, third]) == "one\r\ntwo é\nthree\nfour"


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        (None, ["there is no file", "check the path"]),
        (b"", ["is empty"]),
        (b"abc\0def", ["is not text", "byte offset 3"]),
        (b"caf\xc3\xa9\nna\xefve", ["byte 0xef at byte offset 8 (line 2)", "iconv -f ISO-8859-1"]),
        (b"\xef\xbb\xbfab\xff", ["byte 0xff at byte offset 5 (line 1)"]),
        ("text".encode("utf-16"), ["is UTF-16", "iconv -f UTF-16"]),
    ],
)
def test_bad_file(tmp_path, raw, parts):
    path = tmp_path / "text.txt"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(UserError) as caught:
        read_text([path])
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in [str(path), *parts]), message


def test_folder(tmp_path):
    with pytest.raises(UserError, match=r"is a folder; give the file inside it"):
        read_text([tmp_path])


def test_unreadable(tmp_path, monkeypatch):
    path = written(tmp_path / "text.txt", b"text")
    if os.geteuid() == 0:  # root reads everything

        def refuse(self):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(type(path), "read_bytes", refuse)
    else:
        path.chmod(0)
    with pytest.raises(UserError, match=r"cannot read .*: permission denied; check its permissions"):
        read_text([path])


def test_builtin_text_is_english_and_always_the_same():
    text = builtin_text()
    assert text == builtin_text()
    assert len(text) > 300_000
    assert 'The "with" statement' in text


def test_split_keeps_every_character_in_order():
    text = "".join(map(str, range(1000)))
    training, validation = split_text(text, 0.1)
    assert training + validation == text
    assert len(training) == int(0.9 * len(text))


@pytest.mark.parametrize(
    ("text", "share", "says"),
    [
        ("abc", 0.0, "between 0 and 1"),
        ("abc", 1.0, "between 0 and 1"),
        ("abc", -1.0, "between 0 and 1"),
        ("abc", float("nan"), "between 0 and 1"),
        ("abc", 0.9, "leaves nothing for training"),
        ("", 0.1, "leaves nothing for training"),
    ],
)
def test_share_that_leaves_nothing(text, share, says):
    with pytest.raises(UserError, match=says):
        split_text(text, share)


@pytest.mark.parametrize("name", ["sales.csv", "my sales.csv.gz", "notes", "a.b.txt"])
def test_the_command_that_converts_a_file_writes_a_new_one(tmp_path, name):
    text = "naïve\n" * 3
    raw = text.encode("latin-1")
    path = written(tmp_path / name, gzip.compress(raw) if name.endswith(".gz") else raw)
    with pytest.raises(UserError) as caught:
        read_text([path])
    done = subprocess.run(["sh", "-c", str(caught.value).split("with: ")[1]], capture_output=True, check=True)
    assert done.stdout == b""
    (new,) = set(tmp_path.iterdir()) - {path}
    assert new.name == {
        "sales.csv": "sales-utf8.csv",
        "my sales.csv.gz": "my sales-utf8.csv",
        "notes": "notes-utf8",
    }.get(name, "a.b-utf8.txt")
    assert read_text([new]) == text
