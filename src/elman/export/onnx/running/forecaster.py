"""Exported forecasters. T rows, F steps ahead, B windows, Y targets."""

from __future__ import annotations

import torch
from torch import Tensor

from elman.export.onnx.running.session import ExportedNetwork, Session
from elman.models.forecasting.forecaster import Bounds, DirectForecaster, RecursiveForecaster
from elman.models.forecasting.heads import Gaussian, Head


class ExportedForecaster(ExportedNetwork):
    """What both kinds share: they are asked with scaled windows, and answer scaled.

    Arguments:
        head: the run's.
        widen: (F, Y) what validation adds to the intervals on either side.
        scaled: the number of the series whose values are scaled already.
    """

    def __init__(self, session: Session, head: Head, widen: Tensor, scaled: int) -> None:
        super().__init__(session)
        self.head = head
        self.register_buffer("widen", widen)
        self.scaled = torch.tensor([scaled])

    def ask(self, names: list[str], values: Tensor, known: Tensor, **more: Tensor) -> list[Tensor]:
        """The outputs of these names for scaled windows."""
        if "known" in self.session.inputs:
            more["known"] = known.double()
        return self.session(names, values=values.double(), series=self.scaled, **more)


class ExportedDirectForecaster(ExportedForecaster, DirectForecaster):
    """In the place of a `DirectForecaster`."""

    def forecast(self, values: Tensor, known: Tensor) -> tuple[Tensor, Bounds | None]:
        """Points (F, B, Y) and the ends of their intervals, before `widen`."""
        if self.anchors_alone:
            return self.ask(["scaled_anchor"], values, known)[0], None
        names = [f"scaled_{name}" for name in ("forecast", "lower", "upper")]
        point, *ends = self.ask([name for name in names if name in self.session.outputs], values, known)
        return point, (ends[0], ends[1]) if ends else None


class ExportedRecursiveForecaster(ExportedForecaster, RecursiveForecaster):
    """In the place of a `RecursiveForecaster`; the futures of its intervals are drawn as that draws them."""

    def _go_on(self, values: Tensor, known: Tensor, generator: torch.Generator | None) -> Tensor:
        steps, (T, B, Y) = len(known), values.shape
        noise = torch.zeros(steps - T, B, Y)
        if generator is not None and isinstance(self.head, Gaussian):
            noise = torch.stack([torch.randn((1, B, Y), generator=generator)[0] for _ in range(steps - T)])
        return self.ask(["scaled_forecast"], values, known, noise=noise)[0]
