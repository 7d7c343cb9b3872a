"""Runs to a hub and back, against a stand-in on 127.0.0.1 that speaks the hub's API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

import elman
from elman.cli.main import main
from elman.errors import UserError
from elman.hub.address import HubAddress, on_hub
from elman.hub.push import PushOptions
from elman.tasks.language import Settings as LanguageSettings
from elman.tasks.memory import Settings
from tests.hub.stand_in import TOKEN, USER, StandIn, stand_in

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # in the hub's own library
OLD_RUNS = Path(__file__).parents[1] / "old_runs" / "runs_v0_1"
QUICK = {"steps": 4, "eval_every": 2, "checkpoint_every": 2, "batch_size": 4}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hub") / "run"
    elman.train("parity", Settings(hidden_size=4, max_length=8, **QUICK), out)
    return out


def use(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with stand_in() as server:
        use(server.url, monkeypatch)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # the stand-in speaks LFS
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


def files_of(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir() if path.suffix in (".toml", ".safetensors", ".json")}


def test_there_and_back(run: Path, hub: StandIn) -> None:
    local = elman.load(run)
    pushed = local.push(f"{USER}/parity", PushOptions(licence="mit"))
    assert pushed.url == f"{hub.url}/{USER}/parity"
    there = hub.repositories[f"{USER}/parity"]
    names = set(there.versions[there.newest])
    assert names == {*pushed.files, ".gitattributes"} >= {"README.md", "settings.toml", "model.safetensors", "loss.png"}
    assert "last.safetensors" not in names
    back = elman.load(f"hf://{USER}/parity")
    given = ["1000010101", "100011"]
    assert back.predict(given) == local.predict(given)
    for name, weight in local.model.state_dict().items():
        torch.testing.assert_close(back.model.state_dict()[name], weight, rtol=0, atol=0)
    assert {path.name for path in back.folder.path.iterdir()} == {"settings.toml", "model.safetensors"}
    before = len(hub.log)
    elman.load(f"hf://{USER}/parity")
    assert not [line for line in hub.log[before:] if line.startswith("GET /me/parity/resolve")]  # from the cache


@pytest.mark.parametrize("name", sorted(path.parent.name for path in OLD_RUNS.glob("*/settings.toml")))
def test_every_task_comes_back(name: str, hub: StandIn) -> None:
    local = elman.load(OLD_RUNS / name)
    local.push(f"{USER}/{name}")
    back = elman.load(f"hf://{USER}/{name}")
    assert back.header == local.header
    for key, weight in local.model.state_dict().items():
        torch.testing.assert_close(back.model.state_dict()[key], weight, rtol=0, atol=0)
    kept = (OLD_RUNS / name).glob("*.json")
    assert {path.name for path in kept} <= {path.name for path in back.folder.path.iterdir()}


def test_the_card_says_what_the_run_is(run: Path, hub: StandIn) -> None:
    import yaml

    card = elman.load(run).push(f"{USER}/parity", PushOptions(licence="mit")).card
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["license"] == "mit"
    assert head["library_name"] == "elman"
    found = {one["type"]: one["value"] for one in head["model-index"][0]["results"][0]["metrics"]}
    assert found == pytest.approx(elman.load(run).evaluate())
    assert f"elman evaluate hf://{USER}/parity" in card
    assert "![loss](loss.png)" in card
    assert "hidden_size = 4" in card
    assert "seed 1" in card


def test_nothing_of_this_computer_goes_along(tmp_path: Path, hub: StandIn) -> None:
    text = tmp_path / "private-folder" / "letters.txt"
    text.parent.mkdir()
    text.write_text("to be or not to be, that is the question\n" * 200)
    settings = LanguageSettings(data=(str(text),), hidden_size=4, **QUICK)
    elman.train("language", settings, tmp_path / "run")
    (tmp_path / "run" / "notes.json").write_text("{}")
    elman.load(tmp_path / "run").push(f"{USER}/letters")
    there = hub.repositories[f"{USER}/letters"]
    sent = there.versions[there.newest]
    assert not [name for name, data in sent.items() if b"private-folder" in data]
    assert b'"letters.txt"' in sent["settings.toml"]
    assert "vocabulary.json" in sent
    assert "notes.json" not in sent
    assert elman.load(f"hf://{USER}/letters").task.settings.data == ("letters.txt",)


def test_what_lies_there_gives_way_only_where_asked(run: Path, hub: StandIn) -> None:
    hub.add(f"{USER}/parity", {"vocabulary.json": b"{}", ".gitattributes": b""})
    loaded = elman.load(run)
    with pytest.raises(UserError, match="holds 1 files already; add `replace`"):
        loaded.push(f"{USER}/parity")
    assert not [line for line in hub.log if "POST" in line]
    loaded.push(f"{USER}/parity", PushOptions(replace=True, checkpoint=True))
    there = hub.repositories[f"{USER}/parity"]
    assert "vocabulary.json" not in there.versions[there.newest]
    first, _ = there.versions
    assert elman.load(f"hf://{USER}/parity", weights="last").header["step"] == 4
    with pytest.raises(UserError, match=r"holds no run of elman \(no settings.toml in it\)"):
        elman.load(f"hf://{USER}/parity@{first}")


def test_a_dry_run_sends_nothing(run: Path, hub: StandIn) -> None:
    pushed = elman.load(run).push(f"{USER}/parity", PushOptions(dry_run=True))
    assert "README.md" in pushed.files
    assert hub.log == []


def test_without_a_network_the_cache_serves(
    run: Path, hub: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hub.add("you/parity", files_of(run))
    elman.load("hf://you/parity")
    use("http://127.0.0.1:9", monkeypatch)
    assert elman.load("hf://you/parity").header["step"] > 0
    assert "cannot be reached" in caplog.text
    assert "the copy of hf://you/parity in the cache is used" in caplog.text
    with pytest.raises(UserError, match=r"cannot be reached.*not in the cache: go online once"):
        elman.load("hf://you/other")
    with pytest.raises(UserError, match=r"cannot be reached.*nothing was sent"):
        elman.load(run).push(f"{USER}/parity")


def test_what_the_hub_refuses_is_one_line(run: Path, hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("you/secret", files_of(run), private=True)
    hub.add("you/parity", files_of(run))
    loaded = elman.load(run)
    with pytest.raises(UserError, match="shows no model you/none; check the name, or if it is private log in"):
        elman.load("hf://you/none")
    with pytest.raises(UserError, match="has no version 'v9'"):
        elman.load("hf://you/parity@v9")
    with pytest.raises(UserError, match="hf://you/new may not be sent with this account"):
        loaded.push("you/new")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(UserError, match="shows no model you/secret"):
        elman.load("hf://you/secret")
    with pytest.raises(UserError, match="hf://me/new may not be sent with this account; log in"):
        loaded.push(f"{USER}/new")
    assert f"{USER}/new" not in hub.repositories


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"siblings": 3}', b'{"id": "you/parity", "siblings": []}'])
def test_an_answer_that_makes_no_sense_is_one_line(hub: StandIn, answer: bytes) -> None:
    hub.wrong["/api/models/you/parity"] = (200, answer)
    with pytest.raises(UserError, match="hf://you/parity"):
        elman.load("hf://you/parity")


def test_of_a_stranger_only_a_runs_files_are_taken(run: Path, hub: StandIn) -> None:
    more = {"model.pt": b"x", "code.py": b"x", "../up.json": b"{}", "in/side.json": b"{}", "last.safetensors": b"x"}
    hub.add("you/parity", files_of(run) | more)
    folder = elman.load("hf://you/parity").folder.path
    assert {path.name for path in folder.iterdir()} == {"settings.toml", "model.safetensors"}
    asked = {line.split()[1].rsplit("/", 1)[-1] for line in hub.log if "/resolve/" in line}
    assert asked == {"settings.toml", "model.safetensors"}


def test_a_strangers_files_are_checked_as_any_others(run: Path, hub: StandIn) -> None:
    files = files_of(run)
    changed = bytearray(files["model.safetensors"])
    changed[-3] ^= 64
    hub.add("you/bits", files | {"model.safetensors": bytes(changed)})
    with pytest.raises(UserError, match="its checksum differs"):
        elman.load("hf://you/bits")
    hub.add("you/pickle", files | {"model.safetensors": b"\x80\x04cos\nsystem\n(S'exit'\ntR."})
    with pytest.raises(UserError, match="safetensors"):
        elman.load("hf://you/pickle")
    hub.add("you/large", files | {"settings.toml": b"#" * (2 << 20)})
    with pytest.raises(UserError, match=r"settings.toml has 2,097,152 bytes, and at most 1,048,576 are read"):
        elman.load("hf://you/large")
    hub.add("you/many", files | {f"{number}.json": b"{}" for number in range(99)})
    with pytest.raises(UserError, match="101 files where a run has at most 64"):
        elman.load("hf://you/many")
    hub.add("you/task", files | {"settings.toml": b'task = "os"\n'})
    with pytest.raises(UserError, match="no task"):
        elman.load("hf://you/task")


@pytest.mark.parametrize(
    "text", ["", "hf://", "hf://me", "me/run/more", "hf://me/../up", "hf://me/a b", "me/" + "x" * 99]
)
def test_a_name_that_is_none(text: str) -> None:
    with pytest.raises(UserError, match="names no model of a hub; write hf://USER/NAME"):
        HubAddress.parse(text)


def test_addresses() -> None:
    assert str(HubAddress.parse("me/run@v1.0")) == "hf://me/run@v1.0"
    assert HubAddress.parse("hf:/me/run") == HubAddress("me", "run")  # as pathlib writes it
    assert on_hub(Path("hf://me/run"))
    assert not on_hub("runs/hf")


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = 0
    try:
        main(words)
    except SystemExit as error:
        code = int(error.code or 0)
    return code, *capsys.readouterr()


def test_the_command_line(run: Path, hub: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = command(capsys, "push", str(run), f"{USER}/parity", "--licence", "mit")
    assert (code, out.splitlines()[-1]) == (0, f"{hub.url}/{USER}/parity")
    assert err.splitlines()[-1] == f"elman: next: elman evaluate hf://{USER}/parity"
    assert command(capsys, "predict", f"hf://{USER}/parity", "101")[1] == command(capsys, "predict", str(run), "101")[1]
    asked = len(hub.log)
    code, _, err = command(capsys, "predict", str(run), f"hf://{USER}/parity")  # an input, not a run
    assert (code, len(hub.log)) == (2, asked)
    code, _, err = command(capsys, "evaluate", "--json", f"hf://{USER}/none")
    assert (code, err.count("\n")) == (2, 1)
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
    words = [sys.executable, "-m", "elman", "evaluate", f"hf://{USER}/parity", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    metrics = elman.load(run).evaluate()
    assert {name: found[name] for name in metrics} == pytest.approx(metrics)
