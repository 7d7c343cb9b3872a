"""The scores of captions, translations and transcripts, on cases worked out by hand."""

from __future__ import annotations

import pytest

from elman.metrics.captioning import caption_metrics
from elman.metrics.transcription import error_rates
from elman.metrics.translation import score


def test_error_rates_count_edits_per_word_and_character_of_the_truth() -> None:
    found = error_rates(["yes no", "oui"], ["yes yes no", "oui"])
    assert found["wer"] == pytest.approx(1 / 4)  # one word of four is missing
    assert found["cer"] == pytest.approx(4 / 13)  # "yes " of "yes yes no" and "oui"
    assert found["whole_right"] == 0.5


def test_captions_like_their_references_score_full_and_others_nothing() -> None:
    truth = [["a dog runs on the wet grass"], ["two men sit on a red bench"]]
    same = caption_metrics([texts[0] for texts in truth], truth)
    assert same["bleu_4"] == pytest.approx(100, abs=1e-3)
    assert same["distinct"] == 1.0
    other = caption_metrics(["zebra", "zebra"], truth)
    assert other["bleu_1"] == pytest.approx(0, abs=1e-3)
    assert other["cider"] == 0
    assert other["distinct"] == 0.5


def test_translations_are_compared_in_their_own_case() -> None:
    assert score(["the cat sat on the mat"], ["the cat sat on the mat"]).bleu == pytest.approx(100)
    assert score(["The Cat Sat On The Mat"], ["the cat sat on the mat"]).bleu < 50
    assert score(["The Cat Sat On The Mat"], ["the cat sat on the mat"], lowercase=True).bleu == pytest.approx(100)
