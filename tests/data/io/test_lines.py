"""Lines as they come: in order, together where they are there, at once where they are not."""

import os
import sys
import threading
from io import TextIOWrapper
from pathlib import Path

import pytest

from elman.data.io.lines import arriving_lines
from elman.errors import UserError


def test_all_lines_in_order_whatever_their_ends(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes("\ufeffeins\r\n\nzwei\u2028halb\nlast".encode())
    groups = list(arriving_lines(str(path), 2))
    assert all(1 <= len(group) <= 2 for group in groups)
    assert [line for group in groups for line in group] == ["eins", "", "zwei\u2028halb", "last"]


def test_an_empty_file_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(UserError, match="empty is empty; give a text file"):
        list(arriving_lines(str(tmp_path / "empty"), 8))


def test_a_line_is_answered_before_the_next_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    with open(read, "rb") as end, TextIOWrapper(end) as standard_input, open(write, "wb", buffering=0) as person:
        monkeypatch.setattr(sys, "stdin", standard_input)
        groups = arriving_lines("-", 8)
        for word in (b"one", b"two"):
            person.write(word + b"\n")
            assert next(groups) == [word.decode()]  # the person has not gone on, and waits
        person.close()
        assert list(groups) == []


def test_many_lines_come_together(tmp_path: Path) -> None:
    path = tmp_path / "many"
    path.write_text("line\n" * 1000)
    groups = list(arriving_lines(str(path), 100))
    assert sum(map(len, groups)) == 1000
    assert max(map(len, groups)) <= 100


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*nowhere: no such file"):
        next(arriving_lines(str(tmp_path / "nowhere"), 8))
    with pytest.raises(UserError, match="is a directory"):
        next(arriving_lines(str(tmp_path), 8))
    path = tmp_path / "latin"
    path.write_bytes(b"gut\nsch\xf6n\n")
    lines = arriving_lines(str(path), 8)
    assert next(lines) == ["gut"]
    with pytest.raises(UserError, match="line 2 is not UTF-8"):
        next(lines)


def test_no_thread_is_left_when_nobody_reads_on(tmp_path: Path) -> None:
    path = tmp_path / "many"
    path.write_text("line\n" * 1000)
    before = set(threading.enumerate())
    lines = arriving_lines(str(path), 10)
    next(lines)
    (reader,) = set(threading.enumerate()) - before
    lines.close()
    reader.join(10)
    assert not reader.is_alive()
