"""The remedies by name: what each changes, one entry a remedy.

A new remedy is one entry of `REMEDIES`. Every registered cell beside the vanilla one (`elman.nn.registry`) is a
remedy under its own name.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from elman.errors import UserError
from elman.nn.registry import cell_kind, cell_names


@dataclass(frozen=True)
class Remedy:
    """What a remedy changes of a vanilla tanh layer, or of how its gradient is treated.

    Attributes:
        what: it does, in a few words.
        cell: the kind of layer that is trained.
        options: arguments of the layer's constructor beyond its sizes.
        clips: the gradient's norm is cut to `Budget.clip_norm`.
        share: of the steps, the last ones, that gradients go back through.
    """

    what: str
    cell: str = "rnn"
    options: Mapping[str, Any] = field(default_factory=dict)
    clips: bool = False
    share: float = 1.0

    @property
    def changes_layer(self) -> bool:
        """Whether the layer is another one."""
        return self.cell != "rnn" or bool(self.options)

    def layer(self, inputs: int, hidden: int) -> nn.Module:
        """The layer that is trained, of `inputs` inputs and `hidden` units."""
        return cell_kind(self.cell).build(inputs, hidden, 1, **self.options)


REMEDIES: dict[str, Remedy] = {
    "none": Remedy("a tanh layer as torch initialises it"),
    "clip": Remedy("the gradient's norm is cut to `clip_norm`", clips=True),
    "orthogonal": Remedy("W_hh starts as an orthogonal matrix", options={"init": "orthogonal"}),
    "identity": Remedy("relu units, W_hh starts as the identity", options={"init": "identity", "nonlinearity": "relu"}),
    "residual": Remedy("h_t = h_(t-1) + f(a_t)", options={"residual": True}),
    "truncated": Remedy("gradients go back a quarter of the length only", share=0.25),
}
"""The remedies that are no cell of their own."""


def remedy_names() -> tuple[str, ...]:
    """The names of all remedies: those of `REMEDIES`, then the cells beside the vanilla one."""
    return (*REMEDIES, *(name for name in cell_names() if name != "rnn"))


def remedy(names: str) -> Remedy:
    """The remedy of that name, or several joined by a plus sign, as one.

    Raises:
        UserError: a remedy that is not known, or two that exclude each other.
    """
    parts = {name: _one(name) for name in names.split("+")}
    changed = [part for part in parts.values() if part.changes_layer]
    if len(changed) > 1 or ("none" in parts and len(parts) > 1):
        raise UserError(f"{names!r} asks for two different layers at once: choose one of its parts")
    layer = changed[0] if changed else REMEDIES["none"]
    return Remedy(
        what="; ".join(part.what for part in parts.values()),
        cell=layer.cell,
        options=layer.options,
        clips=any(part.clips for part in parts.values()),
        share=min(part.share for part in parts.values()),
    )


def _one(name: str) -> Remedy:
    if name in REMEDIES:
        return REMEDIES[name]
    if name not in remedy_names():
        near = difflib.get_close_matches(name, remedy_names(), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"there is no remedy called {name!r}{hint} (there are {', '.join(remedy_names())})")
    return Remedy(f"the {name} cell", cell=name)
