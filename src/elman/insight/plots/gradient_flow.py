"""Pictures of a gradient flow: how far the gradient reaches, and what in the recurrence makes it so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from elman.insight.gradient_flow import GradientFlow
from elman.insight.layer_flow import LayerFlow
from elman.insight.verdict import headline
from elman.plotting.mpl import Axes, Figure
from elman.plotting.palette import GREY, INK, PALETTE
from elman.plotting.style import blank_figure, plain, series, styled

_FLOOR = 1e-30  # of the largest value: below it a logarithmic axis is not drawn, or nothing else could be read


@styled
def plot_gradient_flow(flow: GradientFlow) -> Figure:
    """Draw the gradient by distance from the loss, the Jacobian products, and W_hh against its bound.

    Where the only loss is at the last step, the gradient with the losses of all steps is the same and is left
    out.
    """
    rows = sum(len(layer.weights) for layer in flow.layers)
    figure = blank_figure(headline(flow.worst), height=7.6 + 0.28 * rows)
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=(5.6, 1.4 + 0.28 * rows))
    upper, lower = parts[0, 0], parts[1, 0]
    several = any(not torch.equal(layer.carried, layer.gradient) for layer in flow.layers)
    axes = upper.subplot_mosaic([["carried", "gradient" if several else "carried"], ["products", "products"]])
    _norms(axes["carried"], flow.layers, "carried", "Carried back from the last loss alone")
    if several:
        _norms(axes["gradient"], flow.layers, "gradient", "With the losses of all steps")
    _products(axes["products"], flow.layers)
    _weights(lower.subplots(), flow.layers)
    if rows:
        lower.legend(loc="outside lower center", ncols=3)
    return figure


def _norms(axes: Axes, layers: Sequence[LayerFlow], field: str, title: str) -> None:
    for k, layer in enumerate(layers):
        norms: Tensor = getattr(layer, field)
        style = series(k)
        if len(norms) > 30:
            style["marker"] = ""
        axes.plot(range(len(norms)), _above_zero(norms), label=_named(plain(layer.name), norms), **style)
    _logarithmic(axes)
    unit = r"norm of $\partial C/\partial h_t$"
    axes.set(title=title, xlabel="distance back from the loss (steps)", ylabel=unit)
    if axes.get_legend_handles_labels()[0] and field == "carried":
        axes.legend(loc="best")


def _named(name: str, values: Tensor) -> str | None:
    """The name that a line of `values` has in the legend: none where no part of the line can be seen."""
    return name if bool((_above_zero(values) > 0).any()) else None


def _products(axes: Axes, layers: Sequence[LayerFlow]) -> None:
    several = {layer.state_parts for layer in layers if len(layer.state_parts) > 1}
    state = f"({', '.join(several.pop())})" if len(several) == 1 and _all_alike(layers) else "h"
    axes.set(
        title=rf"Singular values of $\partial {state}_t/\partial {state}_k$, $t$ the last step",
        xlabel=r"distance $t-k$ (steps)",
        ylabel="singular value",
    )
    named: set[str] = set()
    for k, layer in enumerate(layers):
        if layer.jacobians is None:
            continue
        for values, dash, marker, name in (
            (layer.jacobians.largest, "-", "^", "largest"),
            (layer.jacobians.smallest, (0, (3, 2)), "v", "smallest"),
        ):
            middle = values.nanmedian(-1).values
            label = None if name in named else _named(name, middle)
            style: dict[str, Any] = {
                "color": PALETTE[k % len(PALETTE)],
                "linestyle": dash,
                "marker": marker,
                "markersize": 5,
            }
            axes.plot(layer.jacobians.distance, _above_zero(middle), label=label, **style)
            named |= {label} if label else set()
    axes.axhline(1, color=GREY, linewidth=1)
    axes.set_xscale("log")
    _logarithmic(axes)
    if named:
        axes.legend(loc="lower left")
    elif all(layer.jacobians is None for layer in layers):
        axes.text(0.5, 0.5, "not worked out", transform=axes.transAxes, ha="center", color=GREY)


def _all_alike(layers: Sequence[LayerFlow]) -> bool:
    return len({layer.state_parts for layer in layers}) == 1


def _weights(axes: Axes, layers: Sequence[LayerFlow]) -> None:
    names: list[str] = []
    labels = {"largest": "largest singular value", "radius": "spectral radius", "bound": "1/γ, the bound"}
    for layer in layers:
        for weight in layer.weights:
            row, gate = len(names), "" if weight.gate == "h" else f" {weight.gate}"
            share = layer.saturated.get(weight.gate)
            much = "" if share is None else f", {share:.0%} {layer.saturation(weight.gate)}"
            names.append(plain(f"{layer.name}{gate}{much}"))
            axes.plot(weight.largest, row, "o", color=PALETTE[0], label=labels.pop("largest", None))
            if weight.radius == weight.radius:
                axes.plot(weight.radius, row, "s", color=PALETTE[1], label=labels.pop("radius", None))
            style: dict[str, Any] = {"color": INK, "markersize": 18, "markeredgewidth": 2}
            axes.plot(weight.bound, row, "|", label=labels.pop("bound", None), **style)
    axes.set(title=r"$W_{hh}$ against its bound", xlabel="size (no unit)", ylim=(len(names) - 0.4, -0.6))
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(left=0)
    if not names:
        axes.text(0.5, 0.5, "no gate has a W_hh of its own", transform=axes.transAxes, ha="center", color=GREY)


def _above_zero(values: Tensor) -> Tensor:
    return torch.where((values > 0) & values.isfinite(), values, torch.nan)


def _logarithmic(axes: Axes) -> None:
    """Use a logarithmic axis where there is something to draw on it, no deeper than can be read."""
    drawn = [float(v) for line in axes.get_lines() for v in torch.as_tensor(line.get_ydata()).flatten()]
    drawn = [v for v in drawn if v > 0 and v < float("inf")]
    if not drawn:
        axes.text(0.5, 0.5, "nothing above zero", transform=axes.transAxes, ha="center", color=GREY)
        return
    axes.set_yscale("log")
    top, bottom = max(drawn), max(min(drawn), max(drawn) * _FLOOR)
    margin = max((top / bottom) ** 0.05, 1.5)
    axes.set_ylim(bottom / margin, top * margin)
