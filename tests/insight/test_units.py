"""What units track: the tracks by hand, the correlations against numpy, and views that no text can break."""

from __future__ import annotations

import io
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

import elman
from elman.errors import UserError
from elman.insight.hidden_units import Units, correlation, units
from elman.insight.plots.text import coloured, html_page, save_html, shown, terminal_view
from elman.insight.plots.units import plot_units
from elman.insight.text_features import text_tracks
from tests.insight.looks import check

TEXT = 'He said "go (now)."\nShe [did ("it")].\n\nThe "end\n\nof it'


def _encode(text: str) -> Tensor:
    """One number a character, and 1 where a quotation mark stands: (T, 1, 2)."""
    return torch.tensor([[[ord(c) / 128, float(c == '"')]] for c in text])


class Reader(nn.Module):
    def __init__(self, rnn: nn.RNNBase) -> None:
        super().__init__()
        self.rnn = rnn

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0]  # type: ignore[no-any-return]


def _quote_detector() -> Reader:
    """Unit 0 turns over at each quotation mark; elsewhere the update gate keeps it."""
    gru = nn.GRU(2, 2)
    with torch.no_grad():
        for weight in gru.parameters():
            weight.zero_()
        gru.bias_ih_l0[2:4] = 20.0  # keep
        gru.weight_ih_l0[2, 1] = -40.0  # but unit 0 takes the new value at a mark
        gru.bias_ih_l0[0] = 20.0  # reset gate open
        gru.weight_hh_l0[4, 0] = -20.0  # new value of unit 0: -sign(h)
        gru.bias_hh_l0[4] = 10.0
    return Reader(gru)


def test_the_tracks_are_those_worked_out_by_hand() -> None:
    found = {name: track.tolist() for name, track in text_tracks('a"b"\n(["]\n\nc').items()}
    assert found["inside quotes"] == [0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0]
    assert found["line length"] == [1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 0, 1]
    assert found["bracket depth"] == [0, 0, 0, 0, 0, 1, 2, 2, 1, 1, 1, 1]
    assert found["distance to newline"] == [4, 3, 2, 1, 0, 4, 3, 2, 1, 0, 0, 1]


def test_tracks_of_longer_tokens_are_those_at_their_last_character() -> None:
    pieces = ["", 'He said "', "go", " (", 'now)."', "", "\n", "She"]
    text, ends = "".join(pieces), np.cumsum([len(p) for p in pieces]) - 1
    by_character = text_tracks(text)
    for name, track in text_tracks(pieces).items():
        expected = [float(by_character[name][e]) if e >= 0 else 0.0 for e in ends]
        assert track.tolist() == expected


def test_typographic_quotes_and_closing_brackets_alone() -> None:
    assert text_tracks("a“b”c)d")["inside quotes"].tolist() == [0, 1, 1, 0, 0, 0, 0]
    assert text_tracks("a“b”c)d(")["bracket depth"].tolist() == [0, 0, 0, 0, 0, 0, 0, 1]


def test_the_correlation_is_pearsons() -> None:
    torch.manual_seed(0)
    h, track = torch.randn(50, 6).double(), torch.randn(50).double()
    h[:, 2] = 3.0
    h[:, 4] = -2 * track + 5
    found = correlation(h, track)
    assert math.isnan(float(found[2]))
    assert float(found[4]) == pytest.approx(-1)
    for k in (0, 1, 3, 5):
        assert float(found[k]) == pytest.approx(np.corrcoef(h[:, k], track)[0, 1], rel=1e-9)


def test_a_unit_that_turns_over_at_quotes_is_found() -> None:
    found = units(_quote_detector(), _encode(TEXT.replace("end\n\n", "end")), TEXT.replace("end\n\n", "end"))
    unit, r = found.best()["inside quotes"]
    assert unit == 0
    assert r > 0.9  # it begins at 0, neither in nor out
    assert next(iter(found.best())) == "inside quotes"


def _units(text: str = TEXT, **options: Any) -> Units:
    torch.manual_seed(0)
    return units(Reader(elman.RNN(2, 6)), _encode(text), text, **options)


def test_states_are_those_of_the_layer_in_the_order_of_the_text() -> None:
    torch.manual_seed(0)
    rnn = nn.RNN(2, 3, num_layers=2, bidirectional=True)
    x = _encode(TEXT)
    for name, columns in (("rnn.l1", slice(0, 3)), ("rnn.l1.reverse", slice(3, 6))):
        found = units(Reader(rnn), x, TEXT, layer=name)
        torch.testing.assert_close(found.h, rnn(x)[0][:, 0, columns].detach(), rtol=1e-5, atol=1e-6)


def test_a_sequence_of_the_users_own_is_ranked_too() -> None:
    plain = _units()
    mine = (plain.h[:, 3] > 0).int().tolist()
    found = _units(tracks={"mine": mine})
    assert found.ranked("mine")[0][0] == 3
    assert set(found.correlation) == set(plain.correlation) | {"mine"}


def test_nothing_is_said_of_a_text_of_a_few_tokens() -> None:
    found = units(_quote_detector(), _encode('a"b"'), 'a"b"')
    few = "4 tokens are too few to say what a unit follows"
    assert few in plot_units(found).get_suptitle()
    console = Console(file=io.StringIO(), width=120)
    console.print(terminal_view(found))
    written = console.file.getvalue()  # type: ignore[attr-defined]
    assert few in written
    assert "r =" not in written + html_page(found)


def test_the_nearest_passages_in_state_are_nearest_and_apart() -> None:
    text = "abcd " * 30
    found = _units(text)
    passages = found.nearest(70, count=4, apart=5)
    assert [p.token for p in passages] == [text[70]] * 4
    places = [70, *(p.at for p in passages)]
    assert all(abs(a - b) >= 5 for k, a in enumerate(places) for b in places[:k])
    for p in passages:
        assert p.distance == pytest.approx(float((found.h[p.at] - found.h[70]).norm()), rel=1e-6)
        assert text[: p.at].endswith(p.before)
        assert text[p.at + 1 :].startswith(p.after)


NASTY = '<script>alert(1)</script> & "\x1b[31mred\x07" </pre>\u202eesrever [bold]x[/bold] $x$ 語\n\n'


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_escapes_all_of_the_text_and_stands_by_itself(tmp_path: Path) -> None:
    found = _units(NASTY, tracks={"<b>mine</b>": [k % 2 for k in range(len(NASTY))]})
    path = save_html(found, tmp_path / "units.html", near=[5])
    page = path.read_text(encoding="utf-8")
    parser = _Tags()
    parser.feed(page)
    assert parser.tags <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "h2",
        "p",
        "pre",
        "span",
        "b",
    }
    assert parser.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    assert "http://" not in page
    assert "https://" not in page
    assert "url(" not in page
    assert "".join(parser.text).count(shown(NASTY)) == len(found.best())
    assert "tracks <b>mine</b>" in "".join(parser.text)
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert len(re.findall(r"^\.[np]\d+ ", page, re.MULTILINE)) == 21


def test_the_page_says_what_it_leaves_out() -> None:
    assert f"and {len(TEXT) - 10} more tokens" in html_page(_units(), [0], stop=10)


def test_the_terminal_shows_the_text_and_obeys_nothing_in_it() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system="truecolor", width=200)
    console.print(terminal_view(_units(NASTY), [0, 1]))
    out = re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue())
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "␛[31mred" in out
    assert "[bold]x[/bold]" in out


def test_the_terminals_colours_are_the_units_values() -> None:
    found = _units("ab")
    text = coloured(found, 2)
    assert text.plain == "ab"
    values = found.h[:, 2].tolist()
    for span, value in zip(text.spans, values, strict=True):
        background = str(span.style).split(" on ")[1]
        red, blue = int(background[1:3], 16), int(background[5:7], 16)
        assert (red > blue) == (value > 0)


def test_the_picture(tmp_path: Path) -> None:
    found = _units(TEXT, tracks={"mine": [k % 3 for k in range(len(TEXT))]})
    text = check(plot_units(found), tmp_path)
    track, (unit, r) = next(iter(found.best().items()))
    assert f"unit {unit} follows {track} most closely (r = {r:+.2f} over" in text.replace("\n", " ")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: units(Reader(nn.RNN(2, 2)), _encode("a"), "a"), "text of one token"),
        (lambda: units(Reader(nn.RNN(2, 2)), _encode("abc"), "ab"), "the text has 2 tokens.*T=3"),
        (lambda: units(nn.Linear(2, 2), _encode("abc"), "abc"), "no recurrent layer"),
        (lambda: _units(layer="rnn.l7"), "no layer called 'rnn.l7'; there are rnn.l0"),
        (lambda: _units(tracks={"t": [1, 0]}), "'t' has 2 numbers"),
        (lambda: _units(tracks={"t": ["x"] * len(TEXT)}), "not a number"),
        (lambda: _units(tracks={"t": [math.nan] * len(TEXT)}), "not finite"),
        (lambda: _units().ranked("rhyme"), "nothing called 'rhyme' changes"),
        (lambda: coloured(_units(), 6), "no unit 6"),
        (lambda: _units().nearest(1000), "no token 1000"),
        (lambda: plot_units(_units(), start=1000), "nothing to draw"),
    ],
)
def test_bad_input_is_one_clear_line(make: Any, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        make()
    assert "\n" not in str(error.value)
