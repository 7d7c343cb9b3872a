"""How good captions are: BLEU, CIDEr, and how many differ."""

from __future__ import annotations

from collections.abc import Sequence

from elman.errors import optional_imports


def caption_metrics(texts: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """BLEU-1 to 4 (Papineni et al. 2002), CIDEr (Vedantam et al. 2015) in per cent, and the share of distinct captions.

    Arguments:
        texts: a caption for each picture, as `elman.data.image.captions.plain_words` writes it.
        references: what people wrote, likewise.
    """
    with optional_imports():
        from pycocoevalcap.bleu.bleu import Bleu
        from pycocoevalcap.cider.cider import Cider

    truth = {number: list(given) for number, given in enumerate(references)}
    ours = {number: [text] for number, text in enumerate(texts)}
    bleu, _ = Bleu(4).compute_score(truth, ours, verbose=0)
    cider, _ = Cider().compute_score(truth, ours)
    metrics = {f"bleu_{n}": 100 * float(value) for n, value in enumerate(bleu, 1)}
    return metrics | {"cider": 100 * float(cider), "distinct": len(set(texts)) / len(texts)}
