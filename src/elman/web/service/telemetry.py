"""What the server counts and measures, in Prometheus' form."""

from __future__ import annotations

from elman.errors import optional_imports

with optional_imports():
    from prometheus_client import (
        CollectorRegistry,
        Counter,
        Gauge,
        Histogram,
        ProcessCollector,
        disable_created_metrics,
        generate_latest,
    )
    from prometheus_client.exposition import CONTENT_TYPE_LATEST

disable_created_metrics()  # type: ignore[no-untyped-call]  # a time beside each count, for which nobody asks

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Telemetry:
    """The server's own registry, so that two servers in one process count apart."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter("elman_requests", "Requests answered", ("route", "status"), registry=self.registry)
        self.seconds = Histogram(
            "elman_request_seconds", "Time to the whole answer", ("route",), buckets=SECONDS, registry=self.registry
        )
        self.predictions = Counter("elman_predictions", "Inputs predicted", ("run",), registry=self.registry)
        self.batch = Histogram(
            "elman_batch_inputs", "Inputs predicted together", ("run",), buckets=SIZES, registry=self.registry
        )
        self.busy = Counter("elman_busy_seconds", "Time spent predicting", ("run",), registry=self.registry)
        self.waiting = Gauge("elman_waiting_requests", "Requests that wait for a prediction", registry=self.registry)
        self.streams = Gauge("elman_open_streams", "Streams that are open", registry=self.registry)
        self.refused = Counter("elman_refused_requests", "Requests answered 503", ("reason",), registry=self.registry)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        text: bytes = generate_latest(self.registry)
        return text
