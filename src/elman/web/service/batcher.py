"""Requests that wait for one run: those that are there together are predicted together, each answered as alone."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from elman.errors import UserError
from elman.training.task import Prediction
from elman.web.service.requests.encoding import encode_predictions
from elman.web.service.requests.limits import Limits
from elman.web.service.requests.problems import Problem, Unavailable
from elman.web.service.served_run import ServedRun
from elman.web.service.telemetry import Telemetry

log = logging.getLogger("elman")
_SMOOTHING = 0.9
Named = Callable[[str], str]
"""A text with files as the user called them."""


@dataclass(eq=False)
class _Job:
    inputs: list[Any]
    options: Any
    answer: asyncio.Future[bytes]
    named: Named
    given_up: bool = False


class Batcher:
    """A thread that predicts for one run. It never waits for more requests: what came while it was busy is a batch.

    Arguments:
        served: the run.
        limits: `queue` requests may wait, `batch` inputs are predicted together.
    """

    def __init__(self, served: ServedRun, limits: Limits, telemetry: Telemetry) -> None:
        self._served = served
        self._limits = limits
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._seconds = 0.0  # of one request, lately
        self._telemetry = telemetry
        self._predicted = telemetry.predictions.labels(served.name)
        self._sizes = telemetry.batch.labels(served.name)
        self._busy = telemetry.busy.labels(served.name)
        threading.Thread(target=self._work, name=f"predict {served.name}", daemon=True).start()

    async def predict(self, inputs: list[Any], options: Any, named: Named = str) -> bytes:
        """The answer to one request, as JSON.

        Arguments:
            named: what is said to the user goes through it.

        Raises:
            Problem: inputs that the task cannot read; too many requests wait; it takes too long.
        """
        if len(self._jobs) >= self._limits.queue:
            self._telemetry.refused.labels("queue").inc()
            after = min(60, max(1, math.ceil(self._seconds * len(self._jobs))))
            raise Unavailable(f"{len(self._jobs)} requests are waiting; try again in {after} s", after)
        self._loop = asyncio.get_running_loop()
        job = _Job(inputs, options, self._loop.create_future(), named)
        with self._wake:
            self._jobs.append(job)
            self._wake.notify()
        self._telemetry.waiting.inc()
        try:
            async with asyncio.timeout(self._limits.predict_seconds):
                return await job.answer
        except TimeoutError as error:
            self._telemetry.refused.labels("time").inc()
            raise Unavailable(
                f"the prediction was not ready after {self._limits.predict_seconds:g} s; give less at once", 10
            ) from error
        finally:
            job.given_up = True
            self._telemetry.waiting.dec()

    def _work(self) -> None:
        import torch

        torch.set_grad_enabled(False)
        while True:
            jobs = self._next()
            began = time.perf_counter()
            found = self._answers(jobs)
            spent = time.perf_counter() - began
            self._seconds = _SMOOTHING * self._seconds + (1 - _SMOOTHING) * spent / len(jobs)
            count = sum(len(job.inputs) for job in jobs)
            self._predicted.inc(count)
            self._sizes.observe(count)
            self._busy.inc(spent)
            assert self._loop is not None
            try:
                self._loop.call_soon_threadsafe(_deliver, jobs, found)
            except RuntimeError:  # the server has stopped
                return

    def _next(self) -> list[_Job]:
        """The first request that waits, and those that can be predicted with it."""
        with self._wake:
            while True:
                while self._jobs and self._jobs[0].given_up:
                    self._jobs.popleft()
                if self._jobs:
                    break
                self._wake.wait()
            first = self._jobs.popleft()
            jobs, count, rest = [first], len(first.inputs), deque[_Job]()
            if self._served.run.task.batches(first.options):
                while self._jobs and count < self._limits.batch:
                    job = self._jobs.popleft()
                    fits = job.options == first.options and count + len(job.inputs) <= self._limits.batch
                    (jobs if fits else rest).append(job)
                    count += len(job.inputs) if fits else 0
                self._jobs.extendleft(reversed(rest))
            return jobs

    def _answers(self, jobs: list[_Job]) -> list[bytes | Exception]:
        if len(jobs) > 1:
            try:
                together = self._predicted_for([one for job in jobs for one in job.inputs], jobs[0].options)
            except UserError:  # of one of them, which is found by asking each alone
                together = []
            if len(together) == sum(len(job.inputs) for job in jobs):
                found, at = list[bytes | Exception](), 0
                for job in jobs:
                    found.append(encode_predictions(self._served.name, together[at : at + len(job.inputs)], job.named))
                    at += len(job.inputs)
                return found
        return [self._alone(job) for job in jobs]

    def _alone(self, job: _Job) -> bytes | Exception:
        try:
            return encode_predictions(self._served.name, self._predicted_for(job.inputs, job.options), job.named)
        except UserError as error:
            return Problem(422, job.named(str(error)))
        except Exception as error:
            log.exception("a prediction of %s failed", self._served.name)
            return Problem(500, f"{type(error).__name__} while predicting; the server's log has more")

    def _predicted_for(self, inputs: list[Any], options: Any) -> list[Prediction]:
        return self._served.run.predict(inputs, options)


def _deliver(jobs: list[_Job], found: list[bytes | Exception]) -> None:
    for job, answer in zip(jobs, found, strict=True):
        if job.answer.done():
            continue
        if isinstance(answer, Exception):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)
