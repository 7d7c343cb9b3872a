"""Which text is meant by a word: a file, a dataset, or neither."""

from pathlib import Path

import pytest

from elman.data.text.corpora import BUILTIN, read_corpus
from elman.errors import UserError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_folder_does_not_hide_the_dataset_of_its_name() -> None:
    Path(BUILTIN).mkdir()
    assert len(read_corpus([BUILTIN], 0.1)[0]) > 100_000


def test_a_file_does() -> None:
    Path(BUILTIN).write_text("0123456789")
    assert read_corpus([BUILTIN], 0.1) == ("012345678", "9")


def test_any_other_folder_is_named_as_one() -> None:
    Path("texts").mkdir()
    with pytest.raises(UserError, match="texts is a folder"):
        read_corpus(["texts"], 0.1)


def test_a_name_that_is_nothing_suggests_the_near_one() -> None:
    with pytest.raises(UserError, match="did you mean shakespeare"):
        read_corpus(["shakespear"], 0.1)
