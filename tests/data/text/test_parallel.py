"""Parallel text in its forms, and everything that can be wrong with it."""

import gzip
import os
from pathlib import Path

import pytest

from elman.data.text.parallel import MULTI30K, differ, read_pairs, read_parallel
from elman.errors import UserError


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_two_files_side_by_side_and_their_languages(tmp_path: Path) -> None:
    one = write(tmp_path / "small.en", "a dog\n  a cat \n")
    (tmp_path / "small.de.gz").write_bytes(gzip.compress(b"ein Hund\neine Katze\n"))
    pairs, languages, notes = read_pairs([one, str(tmp_path / "small.de.gz")])
    assert pairs.source == ("a dog", "a cat")
    assert pairs.target == ("ein Hund", "eine Katze")
    assert languages == ("en", "de")
    assert notes == ()


def test_a_table_with_and_without_a_header(tmp_path: Path) -> None:
    rows = "a dog\tein Hund\tfrom somebody\nHi!\tHallo!\n"
    plain, languages, _ = read_pairs([write(tmp_path / "plain.tsv", rows)])
    assert plain.source == ("a dog", "Hi!")
    assert languages == ("", "")
    headed, languages, _ = read_pairs([write(tmp_path / "headed.tsv", "EN\tde\n" + rows)])
    assert headed == plain
    assert languages == ("en", "de")
    named, languages, _ = read_pairs([write(tmp_path / "named.tsv", "source\ttarget\n" + rows)])
    assert named == plain
    assert languages == ("", "")


def test_only_a_newline_parts_lines(tmp_path: Path) -> None:
    one = write(tmp_path / "a.en", "first\x0cpage\nsecond\u2028line\n")
    other = write(tmp_path / "a.de", "erste\r\nzweite\r\n")
    pairs, _, _ = read_pairs([one, other])
    assert pairs.source == ("first\x0cpage", "second\u2028line")
    assert pairs.target == ("erste", "zweite")


def test_unequal_numbers_of_lines_are_both_said(tmp_path: Path) -> None:
    files = [write(tmp_path / "a.en", "1\n2\n3\n"), write(tmp_path / "a.de", "1\n2\n")]
    with pytest.raises(UserError, match=r"a\.en has 3 lines and .*a\.de has 2"):
        read_pairs(files)


def test_empty_lines_are_counted_said_and_skipped(tmp_path: Path) -> None:
    files = [write(tmp_path / "a.en", "1\n2\n \n4\n"), write(tmp_path / "a.de", "1\n\n3\n4\n")]
    pairs, _, (note,) = read_pairs(files)
    assert pairs.source == ("1", "4")
    assert "2 of 4 lines have an empty side and are skipped; the first is line 2" in note
    last = [write(tmp_path / "b.en", "1\n2\n"), write(tmp_path / "b.de", "1\n \n")]
    assert "the first is line 2" in read_pairs(last)[2][0]
    with pytest.raises(UserError, match="none of 2 lines has text on both sides"):
        read_pairs([write(tmp_path / "c.en", "1\n\n"), write(tmp_path / "c.de", "\n2\n")])


def test_what_is_no_parallel_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="line 2 has no tab"):
        read_pairs([write(tmp_path / "a.tsv", "a\tb\nonly one\n")])
    with pytest.raises(UserError, match=r"is no \.tsv or \.csv file; give one \(sentence and translation\), or two"):
        read_pairs([write(tmp_path / "a.txt", "a\n")])
    with pytest.raises(UserError, match="did you mean multi30k-en-de"):
        read_pairs(["multi30k-en-dee"])
    with pytest.raises(UserError, match="sst2 is a dataset of labelled text, not of parallel text"):
        read_pairs(["sst2"])
    with pytest.raises(UserError, match="`data` names 3 things"):
        read_pairs(["a", "b", "c"])
    (tmp_path / "bad.en.gz").write_bytes(b"\x1f\x8b no gzip")
    with pytest.raises(UserError, match="is damaged"):
        read_pairs([str(tmp_path / "bad.en.gz"), str(tmp_path / "bad.en.gz")])


def test_a_share_is_held_out_and_the_same_every_time(tmp_path: Path) -> None:
    table = write(tmp_path / "a.tsv", "".join(f"{n} one\t{n} eins\n" for n in range(40)))
    found = read_parallel([table], validation_share=0.1)
    assert (len(found.train), len(found.validation), len(found.test)) == (36, 4, 0)
    assert found == read_parallel([table], validation_share=0.1)
    assert {*found.train.source, *found.validation.source} == {f"{n} one" for n in range(40)}
    assert all(a.split()[0] == b.split()[0] for a, b in zip(found.train.source, found.train.target, strict=True))
    with pytest.raises(UserError, match="leaves one of the two parts empty"):
        read_parallel([table], validation_share=0.001)


@pytest.mark.parametrize(
    ("some", "others", "expected"),
    [
        (("en", "de"), ("en", "de"), False),
        (("en-us", "de"), ("en", "de_at"), False),
        (("en", "de"), ("", ""), False),
        (("", "fr"), ("en", "de"), True),
        (("de", ""), ("en", "de"), True),
        (("", "de"), ("en", ""), False),
    ],
)
def test_languages_differ_where_they_are_known(some: tuple[str, str], others: tuple[str, str], expected: bool) -> None:
    assert differ(some, others) is differ(others, some) is expected


def test_an_ending_that_names_no_language(tmp_path: Path) -> None:
    for one, other in (("a.src", "a.tgt"), ("a.txt", "b.txt")):
        files = [write(tmp_path / name, "x\n") for name in (one, other)]
        assert read_pairs(files)[1] == ("", "")


@pytest.mark.data
def test_multi30k_in_both_directions() -> None:
    if "ELMAN_DATA" not in os.environ:
        pytest.skip("ELMAN_DATA names no filled cache folder")
    there, back = read_parallel(["multi30k-en-de"]), read_parallel(["multi30k-de-en"])
    assert (len(there.train), len(there.validation), len(there.test)) == (29_000, 1_014, 1_000)
    assert there.languages == ("en", "de")
    assert there.test.source == back.test.target
    assert there.train.target[0] == "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche."
    assert len(MULTI30K) == 6
    assert there.notes == ()


def test_a_csv_file_and_headers_that_name_languages(tmp_path: Path) -> None:
    rows = '"Yes, I do","Ja, doch"\n"No","Nein"\n'
    pairs, languages, _ = read_pairs([write(tmp_path / "a.csv", "English,German\n" + rows)])
    assert (pairs.source, languages) == (("Yes, I do", "No"), ("en", "de"))
    pairs, languages, _ = read_pairs([write(tmp_path / "b.tsv", "ENGLISH\tfr\nYes\tOui\nNo\tNon\n")])
    assert (len(pairs), languages) == (2, ("en", "fr"))
    pairs, languages, _ = read_pairs([write(tmp_path / "c.tsv", "Polish\tpolish\nYes\tJa\n")])
    assert (len(pairs), languages) == (2, ("", ""))
    with pytest.raises(UserError, match=r"line 2 has 3 columns.*must stand in quotes"):
        read_pairs([write(tmp_path / "d.csv", "a,b\nYes, I do,Ja\n")])
