"""The catalogue is whole: every dataset of the user's names, pinned, and readable without torch."""

import pkgutil
import re
import subprocess
import sys

import pytest

import elman.data
from elman.cli.main import main
from elman.data.datasets.registry import CATALOGUE, find
from elman.errors import UserError

NAMES = [
    *("shakespeare", "ptb", "sst2", "sst5", "trec", "imdb", "yelp", "flickr8k", "flickr8k-pictures"),
    *(
        "squeezenet",
        "multi30k",
        "fsdd",
        "etth1",
        "airline",
        "sunspots",
        "japanese-vowels",
        "gunpoint",
        "italy-power-demand",
        "mnist",
    ),
]


def test_every_name_is_there_and_knows_itself():
    assert list(CATALOGUE) == NAMES
    assert all(dataset.name == name for name, dataset in CATALOGUE.items())


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_pinned(name):
    dataset = CATALOGUE[name]
    assert dataset.title
    assert dataset.licence
    assert dataset.files
    for remote in dataset.files:
        assert re.fullmatch(r"[0-9a-f]{64}", remote.sha256)
        assert remote.url.startswith("https://")
        assert remote.url.endswith("/" + remote.file)
        assert remote.bytes > 0 or name == "flickr8k-pictures"
    known = all(remote.bytes for remote in dataset.files)
    assert dataset.bytes == (sum(remote.bytes for remote in dataset.files) if known else None)


def test_a_size_that_nobody_knows_is_no_figure(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    main(["data", "list"])
    rows = [line.split("│") for line in capsys.readouterr().out.splitlines() if "│" in line]
    sizes = {cells[1].strip(): cells[3].strip() for cells in rows}
    assert sizes["flickr8k-pictures"] == "?"
    assert sizes["shakespeare"] == "1.1"
    assert sizes["airline"] == "<0.1"


def test_recordings_are_listed_one_by_one():
    files = CATALOGUE["fsdd"].files
    assert len({remote.file for remote in files}) == 3000
    assert files[0].file == "recordings/0_george_0.wav"


@pytest.mark.parametrize(
    ("asked", "advice"),
    [
        ("shakespear", "did you mean shakespeare?"),
        ("SST2", "did you mean sst2?"),
        ("zzzz", "known are shakespeare"),
    ],
)
def test_unknown_name_suggests_the_near_one(asked, advice):
    with pytest.raises(UserError, match=re.escape(advice)):
        find(asked)


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        (["datasets.registry", "datasets.cache"], ["torch", "requests", "numpy"]),
        (
            sorted(
                module.name.removeprefix("elman.data.")
                for module in pkgutil.walk_packages(elman.data.__path__, "elman.data.")
            ),
            ["torch", "requests"],
        ),
    ],
)
def test_importing_is_light(modules, heavy):
    code = f"""
import sys
from importlib import import_module
for module in {modules}:
    import_module("elman.data." + module)
assert not set({heavy}) & set(sys.modules)
outside = {{name.split(".")[1] for name in sys.modules if name.startswith("elman.")}}
assert outside <= {{"data", "errors", "atomic_io", "runtime"}}, outside
"""
    subprocess.run([sys.executable, "-c", code], check=True)
