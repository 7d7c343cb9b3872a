"""How good translations are: sacreBLEU and chrF, each with the signature that says how it was computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from elman.errors import optional_imports


@dataclass(frozen=True)
class Scores:
    """sacreBLEU and chrF of a part, with the signatures that say how they were computed (Post 2018)."""

    bleu: float
    chrf: float
    bleu_signature: str
    chrf_signature: str


def score(given: Sequence[str], right: Sequence[str], lowercase: bool = False) -> Scores:
    """Compare translations, one reference each."""
    with optional_imports():
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF

    bleu, chrf = BLEU(lowercase=lowercase), CHRF(lowercase=lowercase)
    references = [list(right)]
    one, other = bleu.corpus_score(list(given), references), chrf.corpus_score(list(given), references)
    return Scores(one.score, other.score, str(bleu.get_signature()), str(chrf.get_signature()))
