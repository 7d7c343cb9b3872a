"""Language models, transcribers, captioners and translators as graphs, and what writes with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from elman.data.scaling import Scaler
from elman.export.onnx.graphs.captioner import captioner
from elman.export.onnx.graphs.language import language_model
from elman.export.onnx.graphs.transcriber import transcriber
from elman.export.onnx.graphs.translator import translator
from elman.export.onnx.running.language import ExportedLanguageModel
from elman.export.onnx.running.transcriber import ExportedTranscriber
from elman.export.onnx.running.writers import ExportedCaptioner, ExportedTranslator
from elman.kernels.decoder import SamplingParams
from elman.models.captioner import Captioner
from elman.models.config import RecurrentConfig
from elman.models.decoding.beam_search import write
from elman.models.decoding.config import Decoding
from elman.models.decoding.sampling import generate
from elman.models.language_model import LanguageModel
from elman.models.seq2seq import Translator, TranslatorConfig
from elman.models.squeezenet import SqueezeNet
from elman.models.transcriber import Transcriber, log_probabilities
from tests.export.onnx.graphs import APART, assert_near, session

PAD, BEGIN, END = 0, 1, 2
DECODINGS = [Decoding(max_length=9), Decoding(beam=3, max_length=9), Decoding(temperature=0.8, max_length=9)]


@pytest.fixture(autouse=True)
def plain() -> Any:
    torch.manual_seed(0)
    with torch.no_grad():
        yield


@pytest.mark.parametrize("options", [{}, {"layers": 2, "cell": "lstm"}, {"residual": True}], ids=str)
@pytest.mark.parametrize("tied", [False, True], ids=["apart", "tied"])
def test_a_language_model_reads_measures_and_writes(options: dict[str, Any], tied: bool) -> None:
    model = LanguageModel(13, RecurrentConfig(input_size=6, hidden_size=6, **options), tied=tied).eval()
    own = ExportedLanguageModel(session(lambda g: language_model(g, model)))
    tokens, targets = torch.randint(13, (600, 2)), torch.randint(13, (600, 2))
    targets[5] = -100
    state: tuple[torch.Tensor, ...] = ()
    for T in (1, 7):
        (want, after), (got, ours) = model(tokens[:T], state), own(tokens[:T], state)
        for one, other in zip((got, *ours), (want, *after), strict=True):
            assert_near(one, other)
        state = after
    assert float(own(tokens, (), targets)[0]) == pytest.approx(float(model(tokens, (), targets)[0]), rel=APART)
    params = SamplingParams(temperature=0.7, seed=3)
    texts = [torch.stack(list(generate(one, tokens[:4, 0], 40, params, samples=3))) for one in (model, own)]
    assert torch.equal(*texts)


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "both-ways"])
def test_a_transcriber_hears_the_same(bidirectional: bool) -> None:
    shape = RecurrentConfig(input_size=4, hidden_size=5, bidirectional=bidirectional, cell="gru")
    model = Transcriber(shape, 6).eval()
    scale = torch.tensor([1.0, 0.0, -2.0, 5.0]), torch.tensor([2.0, 0.5, 1.0, 3.0])
    scaler = Scaler(*(one.numpy() for one in scale))
    own = ExportedTranscriber(session(lambda g: transcriber(g, model, scaler=scaler)))
    assert own.both_directions == bidirectional
    raw = torch.randn(30, 3, 4)
    x, lengths = (raw - scale[0]) / scale[1], torch.tensor([30, 1, 11])
    want, got = model(x, lengths).log_softmax(-1), own(raw, lengths)
    for column, length in enumerate(lengths.tolist()):
        assert_near(got[:length, column], want[:length, column])
    pieces = [torch.split(one[:, 0], [10, 1, 19]) for one in (x, raw)]
    heard = [torch.cat(list(log_probabilities(*pair))) for pair in zip((model, own), pieces, strict=True)]
    assert_near(heard[1], heard[0])


@pytest.mark.parametrize("feature_as", [("first",), ("state",), ("every",), ("first", "state", "every")], ids=str)
@pytest.mark.parametrize("options", [{"layers": 2}, {"cell": "lstm"}], ids=str)
def test_a_captioner_says_the_same(feature_as: tuple[str, ...], options: dict[str, Any]) -> None:
    shape = RecurrentConfig(input_size=6, hidden_size=8, **options)
    model = Captioner(17, 5, shape, feature_as=feature_as, tied=True).eval()
    model.scale_by(torch.randn(40, 5) * 3 + 1)
    own = ExportedCaptioner(session(lambda g: captioner(g, model, BEGIN)))
    for B in (1, 4):
        features, tokens = torch.randn(B, 5), torch.randint(17, (7, B))
        assert_near(own(features, tokens), model(features, tokens))
        targets = tokens.roll(-1, 0)
        losses = [float(one(features, tokens, targets=targets, padding=PAD, smoothing=0.1)) for one in (own, model)]
        assert losses[0] == pytest.approx(losses[1], rel=APART)
        for decoding in DECODINGS:
            assert_same_texts(own, model, lambda one, features=features: one.start(features), decoding)


def test_a_captioner_that_sees_takes_pictures() -> None:
    sees = SqueezeNet().eval()
    model = Captioner(17, 512, RecurrentConfig(input_size=6, hidden_size=8), feature_as=("first", "every")).eval()
    graph = session(lambda g: captioner(g, model, BEGIN, sees))
    pictures = torch.randint(256, (2, 224, 224, 3), dtype=torch.uint8)
    want = model.start(sees(pictures))
    for given in ({"pictures": pictures}, {"features": sees(pictures)}):
        h, memory = graph(["next_h", "next_memory"], **given)
        assert_near(h, want[0][0])
        assert_near(memory, want[1][0])


TRANSLATORS: list[dict[str, Any]] = [
    {"attention": "none", "feed": "last"},
    {"attention": "none", "feed": "none", "bidirectional": False},
    {"attention": "none", "feed": "mean", "layers": 2},
    {"attention": "none", "feed": "max", "cell": "gru", "tied": False},
    {"attention": "dot"},
    {"attention": "dot", "layers": 2, "cell": "lstm"},
    {"attention": "additive", "layers": 3},
]


@pytest.mark.parametrize("options", TRANSLATORS, ids=str)
def test_a_translator_writes_the_same(options: dict[str, Any]) -> None:
    kept = {name: options[name] for name in ("attention", "feed", "bidirectional", "tied") if name in options}
    cell = {name: value for name, value in options.items() if name not in kept}
    shape = RecurrentConfig(input_size=6, hidden_size=8, **cell)
    model = Translator(TranslatorConfig(source=11, target=13, recurrent=shape, **kept)).eval()
    own = ExportedTranslator(session(lambda g: translator(g, model, BEGIN)))
    for S, B in ((1, 1), (6, 4)):
        source, lengths, tokens = torch.randint(11, (S, B)), torch.tensor([S, 1, 2, S][:B]), torch.randint(13, (7, B))
        assert_near(own(source, lengths, tokens), model(source, lengths, tokens))
        want = model.decode(tokens, *model.encode(source, lengths))
        got = own.decode(tokens, *own.encode(source, lengths))
        for one, other in zip(got[1], want[1], strict=True):
            assert_near(one, other)
        assert (got[2] is None) == (want[2] is None)
        if got[2] is not None and want[2] is not None:
            assert_near(got[2], want[2])
        targets = tokens.roll(-1, 0)
        losses = [float(one(source, lengths, tokens, targets=targets, padding=PAD)) for one in (own, model)]
        assert losses[0] == pytest.approx(losses[1], rel=APART)
        for decoding in DECODINGS:

            def start(one: Any, source: torch.Tensor = source, lengths: torch.Tensor = lengths) -> Any:
                return one.encode(source, lengths)

            assert_same_texts(own, model, start, decoding)


@pytest.mark.parametrize("attention", ["none", "dot"])
def test_texts_begin_with_the_begin_mark_where_no_tokens_are_given(attention: Any) -> None:
    shape = RecurrentConfig(input_size=6, hidden_size=8)
    model = Translator(TranslatorConfig(source=11, target=13, recurrent=shape, attention=attention)).eval()
    graph = session(lambda g: translator(g, model, BEGIN))
    names = graph.state_names()
    for B in (1, 3):
        source, begin = torch.randint(11, (5, B)), torch.full((1, B), BEGIN)
        first = graph([f"next_{name}" for name in names], source=source)
        given = {f"state_{name}": part for name, part in zip(names, first, strict=True)}
        assert_near(graph(["logits"], **given)[0], model(source, torch.full((B,), 5), begin)[0])
    seen = Captioner(17, 5, shape).eval()
    graph = session(lambda g: captioner(g, seen, BEGIN))
    features = torch.randn(3, 5)
    (h,) = graph(["next_h"], features=features)
    assert_near(graph(["logits"], state_h=h)[0], seen(features, torch.full((1, 3), BEGIN))[0])


def assert_same_texts(own: Any, model: Any, start: Callable[[Any], Any], decoding: Decoding) -> None:
    """The same tokens, and log-probabilities within what is promised."""
    marks = {"begin": BEGIN, "end": END, "decoding": decoding, "banned": [PAD]}
    ours, theirs = (write(one, *start(one), **marks) for one in (own, model))
    for got, want in zip(ours, theirs, strict=True):
        assert [one.tokens for one in got] == [one.tokens for one in want]
        for one, other in zip(got, want, strict=True):
            assert one.log_probability == pytest.approx(other.log_probability, abs=APART)
