"""What was typed wrong, in our own words and with the whole command that was meant."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.quick_runs import make_run
from tests.cli.surroundings import STYLE, Terminal, called

from elman.__main__ import _stop
from elman.cli import progress
from elman.cli.main import main
from elman.cli.messages import as_options
from elman.cli.progress import NowAndThen, TerminalDisplay
from elman.cli.train import free_folder
from elman.tasks import language, memory

OLD_RUNS = Path(__file__).parents[1] / "old_runs" / "runs_v0_1"
FOREIGN = ("Unused Tokens", "Invalid value", "Unable to convert", "Parameter ", "Command ", "requires an argument")
"""The parser's own words."""


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD_RUNS / "parity", "run")
    shutil.copytree(OLD_RUNS / "translation-dot", "both")


WRONG: dict[str, str] = {
    "train parity --out": "--out needs a value: elman train parity --out runs/parity",
    "train parity --out --steps 3": "--out needs a value: elman train parity --out runs/parity --steps 3",
    "train parity --steps": "--steps needs a value, a whole number; elman train parity --help says more",
    "train parity --steps many": "--steps is 'many'; give a whole number",
    "train parity --lr fast": "--lr is 'fast'; give a number",
    "train parity --cell rnm --steps 3": "--cell is 'rnm'; give one of rnn, lstm, gru; did you mean: elman train parity"
    " --cell rnn --steps 3",
    "train parity --schedule=cosin": "--schedule is 'cosin'; give one of cosine, plateau, constant; did you mean: elman"
    " train parity --schedule=cosine",
    "train parity --hiden-size 4": "there is no option --hiden-size; did you mean: elman train parity --hidden-size 4",
    "train parity --quux 4": "there is no option --quux; elman train parity --help lists the options",
    "train parity extra --steps 3": "'extra' is one word too many: elman train parity takes no such word; quote what"
    " has blanks in it, or: elman train parity --steps 3",
    "train sentiment --data a b": "'b' is one word too many: --data does not take that many values; quote what has"
    " blanks in it, or: elman train sentiment --data a",
    "train parity --seed 1 --seed 2": "--seed is given more than once; give it once",
    "train parity --out=": "--out is an empty word; give a path",
    "train parity --resume": "--resume needs --out, the folder of the run to go on with",
    "evaluate": "elman evaluate needs RUN; elman evaluate --help says more",
    "evaluate run --data a b": "a parity run is measured on its own held-out data; leave --data out",
    "evaluate run --weights lst": "--weights is 'lst'; give one of best, last; did you mean: elman evaluate run"
    " --weights last",
    "compare --steps 3": "elman compare needs --out, a folder for what it makes: elman compare --steps 3 --out"
    " runs/compare",
    "compare --minutes 1": "there is no option --minutes; --steps 200 --seeds 0 shorten it (1000 and 0,1,2 if"
    " not given); elman compare --help lists the options",
    "train parity --minutes -1": "--minutes is -1.0; it must be at least 0 (0 is no limit)",
    "predict run --bogus": "there is no option --bogus; elman predict run --help lists the options",
    "predict run 01 --out x": "there is no option --out; elman predict run --help lists the options",
    "predict run 01 --wieghts last": "there is no option --wieghts; did you mean: elman predict run 01 --weights last",
    "inspect flow run --input x": "elman inspect flow has no option --input: it looks at the next training batch; elman"
    " inspect flow --help lists the options",
    "inspect flow run 01": "'01' is one word too many: elman inspect flow takes no such word; quote what has blanks in"
    " it, or: elman inspect flow run",
    "inspect unroll run 01": "'01' is one word too many: elman inspect unroll takes it by --input: elman inspect unroll"
    " run --input 01",
    "inspect units run 0 1 1": "'0' and what follows are words too many: elman inspect units takes it by --input: elman"
    " inspect units run --input '0 1 1'",
    "sample run Once": "'Once' is one word too many: elman sample takes it by --prompt: elman sample run --prompt Once",
    "evaluate run a.csv b.csv": "'a.csv' and what follows are words too many: elman evaluate takes it by --data: elman"
    " evaluate run --data a.csv b.csv",
    "evaluate -": "- stands for standard input, which elman evaluate does not read; name what it is to take",
    "inspect unroll run --text -": "- stands for standard input, which --text does not read; --text=- takes the sign"
    " as it is",
    "train parity --out -": "- stands for standard input, which --out does not read; --out=- takes the sign as it is",
    "sample run -": "- stands for standard input, which elman sample does not read; say --prompt-file -",
    "predict --json": "--json comes before the run; the run comes first: elman predict RUN INPUT... [OPTIONS]",
    "predict both --beam two": "--beam is 'two'; give a whole number",
    "inspect unroll run": "nothing to look at; give one: --input 1000010101 for instance, or --text with the file that"
    " holds it",
    "inspect flow nowhere": "nowhere holds no run (no settings.toml in it); train one into it first",
    "inspekt flow run": "there is no command 'inspekt'; did you mean: elman inspect flow run",
    "train language --data nothere": "there is neither a text nor a file called nothere; known are shakespeare,"
    " ptb, builtin",
    "train language --data shakespear": "there is neither a text nor a file called shakespear; did you mean"
    " shakespeare?",
}


@pytest.mark.parametrize("typed", WRONG)
def test_one_line_with_the_whole_command(typed: str) -> None:
    code, out, err = called(typed.split(" "))
    assert (code, out, err) == (2, "", f"elman: {WRONG[typed]}\n")
    assert not [words for words in FOREIGN if words in err]


LONG = "x" * 300


@pytest.mark.parametrize("path", [LONG, "run/settings.toml/x", "/dev/null", "nowhere/at/all"])
@pytest.mark.parametrize(
    "command",
    [
        "evaluate PATH",
        "predict PATH x",
        "sample PATH",
        "inspect flow PATH",
        "train parity --settings PATH",
        "train parity --resume --out PATH",
        "train language --data PATH",
        "train sentiment --data PATH",
        "train series --data PATH",
        "train forecasting --data PATH",
        "inspect unroll run --text PATH",
        "inspect unroll run --input 01 --out PATH/x",
        "predict both --file PATH",
        "evaluate both --data PATH",
    ],
)
def test_paths_that_cannot_be_used(command: str, path: str) -> None:
    if path in ("/dev/null", "nowhere/at/all") and ("--file" in command or "--input" in command):
        return  # a device is read as lines; a folder is made
    code, out, err = called(command.replace("PATH", path).split())
    assert (code, out) == (2, "")
    assert err.startswith("elman: ")
    assert err.count("\n") == 1


def test_a_file_without_permission_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refused)
    read = "elman: cannot read run/settings.toml: permission denied; check its permissions\n"
    assert called(["evaluate", "run"])[2] == read
    monkeypatch.setattr("elman.data.io.files.check_file", lambda path, most: refused(path))
    code, _, err = called(["evaluate", "run"])
    use = "elman: cannot use run/settings.toml: permission denied; check the path and its permissions\n"
    assert (code, err) == (2, use)


def test_a_folder_in_use_is_said_to_be_so() -> None:
    from elman.training.run_lock import RunLock

    with RunLock(Path("run")):
        for more in ([], ["--resume"]):
            code, _, err = called(["train", "parity", "--out", "run", "--steps", "1", *more])
            assert code == 2
            assert ("in use by process" in err) is not bool(more), err
    assert "holds a run already" in called(["train", "parity", "--out", "run"])[2]


def test_options_may_stand_before_the_run() -> None:
    after = called(["predict", "run", "01", "11", "--json"])
    assert after[0] == 0
    assert called(["predict", "--json", "run", "01", "11"]) == after


def test_two_files_after_one_option_or_two() -> None:
    shutil.copytree(OLD_RUNS / "data", "data")
    once = called(["evaluate", "both", "--data", "data/pairs.en", "data/pairs.de", "--json"])
    assert once[0] == 0, once
    assert called(["evaluate", "both", "--data", "data/pairs.en", "--data", "data/pairs.de", "--json"])[1] == once[1]


def test_a_run_goes_where_its_data_say(monkeypatch: pytest.MonkeyPatch) -> None:
    assert free_folder("parity", memory.Settings()) == Path("runs/parity")
    assert free_folder("parity", memory.Settings(problem="copy")) == Path("runs/copy")
    assert free_folder("language", language.Settings(data=("x/My poems.v2.txt", "y.txt"))) == Path("runs/My-poems")
    Path("runs/parity").mkdir(parents=True)
    assert free_folder("parity", memory.Settings()) == Path("runs/parity-2")
    monkeypatch.setattr("elman.training_run.finish", lambda task, folder: None)  # draws
    tiny = "--steps 1 --hidden-size 2 --max-length 4 --batch-size 2".split()
    code, out, err = called(["train", "parity", *tiny])
    assert code == 0, err
    assert err.splitlines()[0] == "elman: training into runs/parity-2, 1 steps"
    assert "next: elman evaluate runs/parity-2" in out


def test_inspect_writes_through_no_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    Path("run/inspect").symlink_to(tmp_path / "elsewhere")
    code, _, err = called(["inspect", "unroll", "run", "--input", "01"])
    assert code == 2
    what = f"run/inspect is a link to {tmp_path}/elsewhere"
    assert err == f"elman: {what}; remove it, or name that folder itself as --out\n"
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_vocabulary_without_line_breaks_samples_too() -> None:
    Path("one.txt").write_text("the quick brown fox jumps over the lazy dog " * 20)
    Path("none.txt").write_text("abracadabra" * 60)
    for name in ("one", "none"):
        make_run(Path(name), "language", data=(f"{name}.txt",), hidden_size=4, embedding_size=4, chunk=8, batch_size=2)
        for words in (["sample", name, "--length", "5"], ["predict", name, "", "--length", "5"]):
            code, out, err = called(words)
            assert code == 0, err
            assert len(out) == len("12345\n")


@pytest.mark.parametrize("width", [40, 64, 80, 110, 200])
def test_the_bar_of_a_training_cuts_no_number(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("sys.stderr", err := Terminal())
    with TerminalDisplay(Path("run[/a]")).training(20000, 0, "answers") as bar:
        bar.step(12345)
        bar.metrics(1234.5678, 1234567.0)
    last = STYLE.sub("", err.getvalue()).replace("\r", "\n").strip().splitlines()[-1]
    assert "12345/20000" in last
    assert "training loss 1234.5678" in last
    assert "…" not in last
    assert "elman: training into run[/a], 20,000 steps" in err.getvalue()


def test_something_is_said_while_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    quiet, at_once = NowAndThen(), NowAndThen(seconds=0)
    quiet(lambda: "too early")
    at_once(lambda: "7 of 9")
    assert capsys.readouterr().err == "elman: 7 of 9\n"


def test_what_is_done_is_said_after_a_while_unless_it_is_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SOON", 0.01)
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.05)
    shown, said = TerminalDisplay(), ""
    end = time.monotonic() + 60
    with shown.doing("reading the data"):
        while said.count("\n") < 2 and time.monotonic() < end:
            time.sleep(0.01)
            said += capsys.readouterr().err
    assert said.splitlines()[:2] == ["elman: reading the data ...", "elman: reading the data ..., 0 s so far"]
    capsys.readouterr()
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.01)
    with shown.counting("files", 1000), shown.doing("reading"):
        time.sleep(0.1)
    time.sleep(0.05)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", [["info"], ["compare", "--help"], ["predict", "run", "01"]])
def test_ctrl_c_is_one_word_at_every_moment(command: list[str]) -> None:
    """From the first line of ours on; before that Python itself is starting."""
    for wait in (0.0, 0.15):
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "elman", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        lines = []
        for line in process.stderr:  # cyclopts is imported by elman.cli.main
            lines.append(line)
            if b"attr" in line:
                break
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        rest = process.communicate()[1]
        said = [line for line in rest.splitlines() if not line.startswith(b"import time:")]
        assert (process.returncode, said) in ((130, [b"elman: stopped"]), (0, [])), rest[-500:]


def test_an_interrupt_between_imports_is_an_exception() -> None:
    with pytest.raises(KeyboardInterrupt):
        _stop(signal.SIGINT, sys._getframe())


@pytest.mark.parametrize("backend", ["", "cpu"])  # without torch, and with it
def test_ctrl_c_during_predict_ends_in_one_word(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("ELMAN_BACKEND", backend)
    of = "elman.tasks.memory.task.Task" if backend else "elman.runtime.model.Model"
    monkeypatch.setattr(f"{of}.predict", interrupted)
    assert called(["predict", "run", "01"]) == (130, "", "elman: stopped\n")


def test_a_closed_pipe_and_a_closed_stream_end_without_a_word() -> None:
    for redirection in ("| head -0", ">&-"):
        shell = f"{sys.executable} -m elman data list {redirection}"
        done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, env=os.environ, check=False)
        assert (done.stdout, done.stderr) == ("", "")


def test_settings_become_options_everywhere() -> None:
    assert as_options("`lr_floor` and `carry=False`, `init=0.5`") == "--lr-floor and --no-carry, --init 0.5"
    with pytest.raises(SystemExit):
        main(["evaluate", "nowhere"])
