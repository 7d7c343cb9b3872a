"""Word vectors in the two text forms, and what is wrong with others."""

from pathlib import Path

import pytest

from elman.data.text.word_vectors import read_word_vectors
from elman.errors import UserError


@pytest.mark.parametrize("first", ["", "3 2\n"])
def test_reads_the_words_that_are_wanted(first: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text(first + "good 1 -2.5\nbad 3 4\n. . 5 6\n")
    found = read_word_vectors(path, ["good", "fine", ". ."])
    assert {word: vector.tolist() for word, vector in found.items()} == {"good": [1.0, -2.5], ". .": [5.0, 6.0]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"good 1 2\nbad 3\n", "line 2 has 1 numbers, not 2"),
        (b"good 1 x\n", "line 1"),
        (b"other 1 2\n", "none of the 2 words"),
        (b"good 1 2\n\xff\xfe 1 2\n", "UTF-8"),
    ],
)
def test_what_is_wrong(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_word_vectors(path, ["good", "bad"])
    with pytest.raises(UserError, match="there is no file"):
        read_word_vectors(tmp_path / "nowhere.txt", ["good"])
