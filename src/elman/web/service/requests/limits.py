"""What a server takes at most: so no request can use up its memory, its time or its connections."""

# Annotations here are evaluated: `check_fields` reads them.

from dataclasses import dataclass
from typing import ClassVar

from elman.training.checks.ranges import Range, Ranges, check_fields

LARGEST_OPTIONS = {"length": 20_000, "beam": 50, "horizon": 10_000}
"""Options that decide how much work a request makes, and the most that one may ask for."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a server takes at most."""

    body_bytes: int = 1 << 20
    """Of JSON."""
    upload_bytes: int = 1 << 25
    """Of all files of a request."""
    body_seconds: float = 20.0
    """Until all of a request has come."""
    predict_seconds: float = 60.0
    """Until a prediction is there."""
    stream_seconds: float = 600.0
    """Of one stream, and of silence in a WebSocket."""
    inputs: int = 256
    """In one request."""
    queue: int = 256
    """Requests that wait; more are answered 503."""
    batch: int = 64
    """Inputs that are predicted together."""
    streams: int = 16
    """At a time."""
    connections: int = 512
    """At a time."""

    RANGES: ClassVar[Ranges] = {
        **dict.fromkeys(("body_bytes", "upload_bytes"), Range(1024, 1 << 31)),
        **dict.fromkeys(("body_seconds", "predict_seconds", "stream_seconds"), Range(0, 86_400, above=True)),
        **dict.fromkeys(("inputs", "queue", "batch", "streams", "connections"), Range(1, 100_000)),
    }
    """What each number may be."""

    def __post_init__(self) -> None:
        check_fields(self)
