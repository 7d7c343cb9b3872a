"""Sentences into another language: learned from small files, in order, resumed, and mistakes as one line."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import elman
from elman.cli.main import main
from elman.errors import UserError
from elman.metrics.translation import score
from elman.run import Run, load
from elman.tasks.translation.settings import Options, Settings
from elman.tasks.translation.steps import Encoded, VocabularyPair, batch_loss
from elman.tasks.translation.task import Task
from elman.training.tensor_files import read_tensors
from elman.training_run import train

ADJECTIVES = {"red": "roter", "big": "großer", "old": "alter"}
ANIMALS = {"dog": "Hund", "bird": "Vogel", "bear": "Bär"}
VERBS = {"runs": "rennt", "sleeps": "schläft", "eats": "isst"}
WORDS = ADJECTIVES | ANIMALS | VERBS | {"a": "ein", "now": "jetzt"}
SMALL = {
    "hidden_size": 64,
    "embedding_size": 32,
    "layers": 1,
    "vocabulary_size": 360,
    "batch_size": 16,
    "dropout": 0.0,
    "lr": 5e-3,
    "warmup": 10,
    "threads": 1,
}


def translation(text: str) -> str:
    """Word by word, but that the verb comes before the animal with its adjective where the text begins with "now"."""
    words = [WORDS[word] for word in text.split()]
    if words[0] == "jetzt":
        words = [words[0], words[-1], *words[1:-1]]
    return " ".join(words)


def write_pairs(path: Path, count: int = 300) -> Path:
    generator = np.random.default_rng(0)
    lines = []
    for _ in range(count):
        parts = [generator.choice(list(table)) for table in (ADJECTIVES, ANIMALS, VERBS)]
        text = " ".join([*["now"] * int(generator.integers(2)), "a", *parts])
        lines.append(f"{text}\t{translation(text)}\n")
    path.write_text("en\tde\n" + "".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("translation")
    data = write_pairs(folder / "pairs.tsv")
    train("translation", Settings(data=(str(data),), steps=200, eval_every=100, **SMALL), folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def run(trained: Path) -> Run:
    return load(trained)


def test_learns_and_leaves_a_whole_folder(trained: Path, run: Run) -> None:
    report = run.examine()
    assert report.metrics["validation_bleu"] > 90
    assert report.metrics["validation_chrf"] > 90
    assert report.metrics["validation_loss"] < 0.5
    translations, scores = report.tables
    assert translations.columns == ("source", "translation", "reference")
    assert "tok:13a" in dict(row[:2] for row in scores.rows)["BLEU"]
    names = {path.name for path in trained.iterdir()}
    assert names >= {"source.vocabulary.json", "target.vocabulary.json", "pairs.json", "loss.png", "model.safetensors"}


def test_translates_by_way_of_the_package(trained: Path) -> None:
    texts = ["a red dog runs", "", "  now a big bird sleeps "]
    predictions = elman.load(trained).predict(texts)
    assert [p.input for p in predictions] == texts
    assert [p.text for p in predictions] == ["ein roter Hund rennt", "", "jetzt schläft ein großer Vogel"]
    assert all(p.ended and p.log_probability <= 0 for p in predictions)


@pytest.mark.parametrize("options", [Options(beam=1), Options(beam=4), Options(beam=1, temperature=0.5, top_k=1)])
def test_together_is_as_one_by_one(run: Run, options: Options) -> None:
    texts = ["red", "now a big dog runs", "a bear", "a big red bear sleeps"]
    together = run.predict(texts, options)
    for text, whole in zip(texts, together, strict=True):
        (alone,) = run.predict([text], options)
        assert alone.text == whole.text
        assert alone.log_probability == pytest.approx(whole.log_probability, abs=1e-4)


def test_a_seed_draws_the_same_and_another_one_others(run: Run) -> None:
    texts = ["a red dog runs"] * 8

    def drawn(seed: int) -> list[str]:
        return [p.text for p in run.predict(texts, Options(beam=1, temperature=3.0, seed=seed))]

    assert drawn(1) == drawn(1) != drawn(2)


def test_a_file_and_standard_input_in_order(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "texts"
    path.write_text("a red dog runs\n\nnow a big bear eats\na old bird eats")
    expected = ["ein roter Hund rennt", "", "jetzt isst ein großer Bär", "ein alter Vogel isst"]
    main(["predict", str(trained), "--file", str(path)])
    assert capsys.readouterr().out.splitlines() == expected
    for more in ([], ["--file", "-"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
        main(["predict", str(trained), "--json", *more])
        records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [record["text"] for record in records] == expected
        assert records[0].keys() == {"input", "text", "log_probability", "ended", "alignment"}


def test_each_translation_is_given_when_it_is_made(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "texts"
    path.write_text("a red dog runs\na big dog runs\nnow a red bird eats\na red bear eats\n")
    monkeypatch.setattr("elman.tasks.translation.task.TOGETHER", 2)
    made = run.stream([], Options(file=str(path)))
    assert next(made).text == "ein roter Hund rennt"
    path.write_text("")  # what comes later is not wanted for it
    assert sum(1 for _ in made) == 3


def test_draws_the_alignment(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["predict", str(trained), "a red $dog$ runs", "", "--out", str(tmp_path / "alignment")])
    assert "written: " in capsys.readouterr().err
    assert (tmp_path / "alignment-1.svg").read_text().startswith("<?xml")
    assert (tmp_path / "alignment-1.png").stat().st_size > 5000
    assert not (tmp_path / "alignment-2.png").exists()


def test_can_be_looked_into(trained: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    look = run.inspection_example("a red dog runs")
    assert "".join(look.tokens[1:]) == "ein roter Hund rennt"
    unrolled = elman.insight.unroll(run.model, look.inputs, look.targets, tokens=look.tokens, layer=look.layer)
    (prediction,) = run.predict(["a red dog runs"], Options(beam=1))
    assert unrolled.cost == pytest.approx(-prediction.log_probability, rel=0.02)
    with pytest.raises(UserError, match="the text is empty"):
        run.inspection_example(" ")
    main(["inspect", "unroll", str(trained), "--input", "a red dog runs", "--json"])
    assert json.loads(capsys.readouterr().out)["about"].endswith("ein roter Hund rennt")
    main(["inspect", "flow", str(trained)])
    assert "decoder" in capsys.readouterr().out


@pytest.mark.parametrize(
    "more",
    [
        {"attention": "none"},
        {"attention": "none", "feed": "none", "bidirectional": False, "cell": "gru", "steps": 400},
        {"attention": "none", "feed": "max", "layers": 2},
        {"attention": "additive", "layers": 2, "cell": "lstm", "steps": 400},
        {"teacher_forcing": 0.5, "lowercase": True, "tied": False},
    ],
)
def test_other_translators_learn_too(more: dict[str, object], tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "pairs.tsv")
    settings = Settings(data=(str(data),), **({"steps": 200} | SMALL | more))  # type: ignore[arg-type]
    result = train("translation", settings, tmp_path / "run")
    assert result.metrics["bleu"] > 60
    text = load(tmp_path / "run").predict(["a big dog runs"])[0].text
    assert text == ("ein großer hund rennt" if "lowercase" in more else "ein großer Hund rennt")


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "pairs.tsv")
    settings = Settings(
        data=(str(data),), steps=12, eval_every=6, checkpoint_every=6, teacher_forcing=0.5, **(SMALL | {"dropout": 0.2})
    )
    train("translation", settings, tmp_path / "whole")

    class StoppedError(Exception):
        pass

    class Stopping(Task):
        def batch(self, step: int, rank: int, world: int) -> object:
            if step == 8:
                raise StoppedError
            return super().batch(step, rank, world)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("elman.tasks.translation.Task", Stopping)
        with pytest.raises(StoppedError):
            train("translation", settings, tmp_path / "stopped")
    train("translation", settings, tmp_path / "stopped", resume=True)
    whole, _ = read_tensors(tmp_path / "whole" / "last.safetensors")
    resumed, _ = read_tensors(tmp_path / "stopped" / "last.safetensors")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole if name.startswith("model"))


def test_evaluates_other_pairs_of_its_languages_only(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.tsv"
    other.write_text("en\tde\na red dog runs\tein roter Hund rennt\na red dog eats\tein roter Hund geht\n")
    metrics = run.evaluate(other)
    assert 20 < metrics["bleu"] < 100
    other.write_text("en\tfr\ndog\tchien\n")
    with pytest.raises(UserError, match=r"goes from en to fr, and .*run was trained from en to de"):
        run.evaluate(other)
    with pytest.raises(UserError, match=r"there is no file or folder .*nothing\.tsv"):
        run.evaluate(tmp_path / "nothing.tsv")


def test_evaluates_two_files_line_by_line(
    trained: Path, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["a red dog runs", "now a old bear eats", "a big bird sleeps"]
    one, other, table = tmp_path / "some.en", tmp_path / "some.de", tmp_path / "some.tsv"
    one.write_text("".join(f"{text}\n" for text in texts))
    other.write_text("".join(f"{translation(text)}\n" for text in texts))
    table.write_text("".join(f"{text}\t{translation(text)}\n" for text in texts))
    capsys.readouterr()
    main(["evaluate", "--data", str(one), "--data", str(other), str(trained), "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert {name: facts[name] for name in ("bleu", "chrf", "loss")} == pytest.approx(run.evaluate(table))
    assert [row["source"] for row in facts["tables"]["translations"]] == texts
    (tmp_path / "some.fr").write_text("un\ndeux\ntrois\n")
    (tmp_path / "fewer.de").write_text("eins\nzwei\n")
    for words, said in (
        ([one, tmp_path / "fewer.de"], r"some\.en has 3 lines and .*fewer\.de has 2"),
        ([one, tmp_path / "some.fr"], r"some\.fr go from en to fr, and .*run was trained from en to de"),
        ([other, one], "go from de to en"),
        ([one, other, table], "`data` names 3 things, and a translation run takes at most 2 files"),
        ([one], r"some\.en is no \.tsv or \.csv file"),
    ):
        with pytest.raises(UserError, match=said):
            run.evaluate(words)


def test_a_pair_of_another_run_is_not_resumed(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", "translation", "--data", "multi30k-en-fr", "--out", str(trained), "--resume"])
    assert stop.value.code == 2
    assert "was trained with --data" in capsys.readouterr().err


def test_a_far_longer_text_is_translated_and_named(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    predictions = run.predict(["a red dog runs", "a red dog " * 100, "a red dog eats"])
    said = capsys.readouterr().err
    assert "text 2 has" in said
    assert said.count("\n") == 1
    assert [predictions[i].text for i in (0, 2)] == ["ein roter Hund rennt", "ein roter Hund isst"]
    assert predictions[1].input == "a red dog " * 100
    run.predict(["dog " * 3000], Options(beam=1))
    assert "what follows token 2,000 is not read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dog", "--file", "x"], "texts and --file are both given"),
        (["--file", "nowhere.txt"], "cannot read nowhere.txt"),
        (["dog", "--beam", "0"], "--beam is 0; it must be at least 1"),
        (["dog", "--temperature", "1"], "--beam 5 searches for the best text and --temperature 1 samples one"),
        (["dog", "--top-p", "2", "--beam", "1"], "--top-p is 2.0"),
    ],
)
def test_mistakes_are_one_line(trained: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["predict", str(trained), *words])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_mistakes_leave_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other, out = tmp_path / "a.en", tmp_path / "a.de", tmp_path / "run"
    one.write_text("a\nb\n")
    other.write_text("a\n")
    for words, said in (
        (["--data", str(one), str(other)], "has 2 lines and"),
        (["--data", "multi30k-en-es"], "did you mean multi30k-en-"),
        (["--hidden-size", "33"], "two directions need an even number"),
        (["--teacher-forcing", "1.5"], "it must be at least 0 and at most 1"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["train", "translation", "--out", str(out), *words])
        assert stop.value.code == 2
        assert said in capsys.readouterr().err
    assert not out.exists()


def test_no_plot_without_attention(tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "pairs.tsv", 40)
    train("translation", Settings(data=(str(data),), steps=1, **(SMALL | {"attention": "none"})), tmp_path / "run")
    with pytest.raises(UserError, match="`out` draws attention"):
        load(tmp_path / "run").predict(["dog"])[0].write(tmp_path / "alignment")


def test_long_pairs_are_left_out_of_training_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "pairs.tsv"
    data.write_text("dog\tHund\ncat\tKatze\n" * 20 + "dog " * 60 + "\tHund\n")
    task = Task.new(Settings(data=(str(data),), max_length=20, **SMALL))
    task.prepare()
    lost = len(task.data.train) - len(task.encoded("train").source)
    assert lost == sum(len(text) > 100 for text in task.data.train.source) == 1
    assert "1 training pairs have more than 20 tokens and are skipped" in capsys.readouterr().err
    with pytest.raises(UserError, match="every training pair has more than 0 tokens"):
        task._encode(task.data.train).without_long(0)


class Uniform(nn.Module):
    """Says of every token that it is as likely as any other."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, *read: torch.Tensor, targets: torch.Tensor, padding: int, smoothing: float) -> object:
        logits = self.weight.expand(targets.numel(), 300)
        return F.cross_entropy(
            logits, targets.flatten(), ignore_index=padding, label_smoothing=smoothing, reduction="sum"
        )


def test_the_loss_counts_words_and_end_marks_and_no_padding() -> None:
    from elman.data.text.parallel import Pairs

    codes = VocabularyPair.build(Pairs(("a", "b c"), ("d", "e f")), 300, False)
    encoded = Encoded(codes.read(["a", "b c"]), codes.written(["d", "e f"]))
    batch = encoded.batch([0, 1], codes)
    total, count = batch_loss(Uniform(), batch, codes.target.pad or 0, 0.0)
    words = sum(len(codes.target.encode(text)) for text in ("d", "e f"))
    assert count == words + 2
    assert total.item() == pytest.approx(count * np.log(300), rel=1e-5)


def test_the_score_is_sacrebleus() -> None:
    found = score(["the cat sat on the mat", "a dog"], ["the cat sat on the mat", "a dog"])
    assert found.bleu == pytest.approx(100)
    assert found.bleu_signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    half = score(["the cat sat on a mat today"], ["the cat sat on the mat"])
    # 5/7, 3/6, 2/5, 1/4: the mean of their logarithms; it is longer, so no brevity penalty
    assert half.bleu == pytest.approx(100 * (5 / 7 * 3 / 6 * 2 / 5 * 1 / 4) ** 0.25, rel=1e-6)
