"""Recordings and what is said in them, as they were understood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from elman.data.audio.io import SoundForm, sound_form
from elman.data.audio.recordings import Recording
from elman.data.description.facts import Description, Fact, listed, spread

MOST_OPENED = 500
"""Recordings whose headers are looked at."""


def describe_recordings(recordings: Sequence[Recording], source: str) -> Description:
    """Recordings with transcripts; of many, the headers of some are looked at, evenly spread.

    Raises:
        UserError: one of these cannot be opened.
    """
    said = Counter(one.transcript for one in recordings)
    parts = Counter(one.part for one in recordings)
    speakers = Counter(one.speaker for one in recordings if one.speaker)
    total = len(recordings)
    sizes = ", ".join(f"{part} {count:,}" for part, count in parts.items())
    facts = [Fact("recordings", dict(parts), f"{total:,}: {sizes}", f"{total:,} recordings")]
    facts += sound_facts(
        [recordings[i * total // min(total, MOST_OPENED)].path for i in range(min(total, MOST_OPENED))]
    )
    texts = listed([f"{text} {count:,}" if count > 1 else text for text, count in said.most_common()])
    facts.append(
        Fact("transcripts", len(said), f"{len(said):,} different: {texts}", f"{len(said):,} different transcripts")
    )
    if speakers:
        names = listed([f"{name} {count:,}" for name, count in speakers.most_common()])
        facts.append(Fact("speakers", dict(speakers), f"{len(speakers)}: {names}", f"{len(speakers)} speakers"))
    words = [len(one.transcript.split()) for one in recordings]
    facts.append(Fact("words in a transcript", {"most": max(words)}, spread(words)))
    return Description(source, "recordings with transcripts", tuple(facts))


def sound_facts(paths: Sequence[Path]) -> list[Fact]:
    """Sample rate, channels and length of some recordings, from their headers."""
    forms: list[SoundForm] = [sound_form(path) for path in paths]
    rates, channels = Counter(one.rate for one in forms), Counter(one.channels for one in forms)
    seconds = [one.seconds for one in forms]
    rate = ", ".join(f"{rate:,}" for rate, _ in rates.most_common())
    return [
        Fact("sample rate", dict(rates), f"{rate} samples a second", f"{rate} samples a second"),
        Fact("channels", dict(channels), ", ".join(str(count) for count, _ in channels.most_common())),
        Fact("encoding", sorted({one.encoding for one in forms}), listed(sorted({one.encoding for one in forms}))),
        Fact(
            "seconds",
            {"least": min(seconds), "most": max(seconds)},
            spread([round(one, 3) for one in seconds]),
            f"up to {max(seconds):.3g} s",
        ),
    ]


def describe_recording(path: Path) -> Description:
    """One recording by itself.

    Raises:
        UserError: it cannot be opened.
    """
    return Description(str(path), "a recording", tuple(sound_facts([path])))
