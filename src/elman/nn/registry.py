"""Recurrent layers by name: `rnn`, `lstm`, `gru`, and whatever a user registers.

A new kind of cell is one module that makes a `CellKind`, and one line: `register_cell(KIND)`, or an entry point of the
group "elman.cells" in the package that brings it. Models, tasks, `insight` and `compare` then take it by its name.

T steps, B sequences, I inputs, H hidden units, L layers, D directions, S numbers in the state (H for each part of it).
Importing this module does not import torch.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Literal

from elman.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

BUILT_IN = {
    "rnn": "elman.nn.kinds.vanilla",
    "lstm": "elman.nn.kinds.lstm",
    "gru": "elman.nn.kinds.gru",
}
"""The modules of the built-in kinds; each holds its `KIND`."""
VANILLA_OPTIONS = frozenset({"nonlinearity", "recurrent_dropout", "residual", "layer_norm", "init"})
"""What `CellKind.options` are of the cell `rnn`; the other built-in kinds have none."""
ENTRY_POINTS = "elman.cells"

Weights = Mapping[str, "Tensor"]
Step = Callable[..., "Tensor"]

_registered: dict[str, CellKind] = {}


@dataclass(frozen=True)
class Gate:
    """A gate of a cell: H values of one nonlinearity.

    Attributes:
        name: "forget"; "h" for the only one of a vanilla cell.
        nonlinearity: what it applies to its sum.
    """

    name: str
    nonlinearity: Literal["tanh", "sigmoid", "relu"]

    @property
    def slope(self) -> float:
        """The steepest slope of the nonlinearity: 1 for tanh and relu, 1/4 for the logistic sigmoid."""
        return 0.25 if self.nonlinearity == "sigmoid" else 1.0

    def saturated(self, value: Tensor) -> Tensor:
        """Say where values of the gate lie so far out that at most 4 % of the steepest slope is left; for relu, at 0.

        |tanh| above 0.99 leaves less than 2 % of its slope, a sigmoid above 0.99 or below 0.01 less than 4 %.
        """
        if self.nonlinearity == "relu":
            return value == 0
        if self.nonlinearity == "tanh":
            return value.abs() > 0.99
        return (value > 0.99) | (value < 0.01)


def _same(x: Tensor, weights: Weights, **options: Any) -> Tensor:
    return x


@dataclass(frozen=True, kw_only=True)
class StepMap:
    """One step of a layer as a function, s_t = F(s_(t-1), x_t): what `elman.insight` needs to know of it.

    Every function is called with the weights of one layer and direction, by the names in `weights`, and with `options`
    as keywords; it takes any number of leading dimensions, and stays within what `torch.func` can differentiate.

    Attributes:
        step: (state (..., S), drive (..., N), weights) to the next state (..., S).
        drive: (x (..., I), weights) to the share of the step that needs no past, (..., N); x itself by default.
        weights: names of the parameters without the layer's ending (`weight_ih` for `weight_ih_l0`); see `weight_path`.
        options: what the step depends on beside tensors, as keywords.
        gates: in the order in which `weight_hh`, if there is one of shape (G*H, H), holds them.
        activations: (state, drive, weights) to each gate's value (..., H), by name; None where they are not to be had.
        bounded: whether every |h| is at most 1.
        plain: h_t = f(drive_t + W_hh h_(t-1) + b_hh) and no more, so that h alone gives the derivative.
        label: what tables call the layer.
    """

    step: Step
    drive: Step = _same
    weights: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    gates: tuple[Gate, ...] = ()
    activations: Callable[..., dict[str, Tensor]] | None = None
    bounded: bool = False
    plain: bool = False
    label: str


def _no_state(module: nn.Module) -> Tensor | None:
    return None


@dataclass(frozen=True, kw_only=True)
class CellKind:
    """A kind of recurrent layer.

    Its modules are called as `torch.nn.RNN` is: `module(x, state)` with x (T, B, I) gives the output (T, B, D*H) and
    the last state, one tensor or a tuple, each (L*D, B, H). They have the attributes `input_size` and `hidden_size`;
    without `num_layers`, `bidirectional` and `batch_first` they have one layer, one direction, and time first.

    Attributes:
        name: as `cell` names it in settings.
        build: (input_size, hidden_size, num_layers, dropout=, bidirectional=, and each of `options` by name) to a
            module.
        recognises: whether a module is of this kind.
        step_map: the module's step as a function.
        state: the names of the state's parts, each H numbers, the hidden state first.
        gated: whether gates, rather than a remedy of the plain recurrence, keep its gradient alive.
        options: settings of `RecurrentConfig` that `build` takes beyond the sizes, dropout and both directions.
        takes_lengths: whether modules take `lengths=`; otherwise they take a `PackedSequence`.
        initial_state: the state (L*D, 1, H) that a module starts from when it is given none; None for zeros.
    """

    name: str
    build: Callable[..., nn.Module]
    recognises: Callable[[nn.Module], bool]
    step_map: Callable[[nn.Module], StepMap]
    state: tuple[str, ...] = ("h",)
    gated: bool = True
    options: frozenset[str] = frozenset()
    takes_lengths: bool = True
    initial_state: Callable[[nn.Module], Tensor | None] = _no_state


def register_cell(kind: CellKind) -> None:
    """Make a kind of cell known by its name, in this process; registering the same kind again changes nothing.

    Raises:
        UserError: it is no `CellKind`, or another kind has that name.
    """
    if not isinstance(kind, CellKind):
        raise UserError(f"a cell is registered as a CellKind, not as {type(kind).__name__}; make one")
    if kind.name in BUILT_IN or _registered.get(kind.name, kind) != kind:
        raise UserError(f"a cell called {kind.name!r} is registered already; choose another name")
    _registered[kind.name] = kind


def unregister_cell(name: str) -> None:
    """Forget a kind that `register_cell` made known.

    Raises:
        KeyError: there is none.
    """
    del _registered[name]


def cell_names() -> tuple[str, ...]:
    """The names of all kinds: the built-in ones, then those that were registered or that installed packages bring."""
    return tuple(dict.fromkeys([*BUILT_IN, *_registered, *_installed()]))


@cache
def _installed() -> dict[str, EntryPoint]:
    """The kinds that installed packages bring, by name."""
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}


def cell_kind(name: str) -> CellKind:
    """The kind of that name.

    Raises:
        UserError: there is none; the message names the nearest.
    """
    if name in BUILT_IN:
        kind: CellKind = import_module(BUILT_IN[name]).KIND
        return kind
    if name not in _registered and name in _installed():
        register_cell(_installed()[name].load())
    if name not in _registered:
        near = difflib.get_close_matches(name, cell_names(), 1)
        hint = f"; did you mean `cell={near[0]}`?" if near else ""
        raise UserError(f"there is no cell called {name!r}{hint} (there are {', '.join(cell_names())})")
    return _registered[name]


def cell_options(name: str) -> frozenset[str]:
    """The `CellKind.options` of the kind of that name; of a built-in kind without importing its module, and torch.

    Raises:
        UserError: there is none; the message names the nearest.
    """
    if name in BUILT_IN:
        return VANILLA_OPTIONS if name == "rnn" else frozenset()
    return cell_kind(name).options


def kind_of(module: nn.Module) -> CellKind | None:
    """The kind that a module is of, or None."""
    for kind in map(cell_kind, cell_names()):
        if kind.recognises(module):
            return kind
    return None


def layers_of(module: nn.Module) -> int:
    """L, how many layers a recurrent module has."""
    return int(getattr(module, "num_layers", 1))


def directions_of(module: nn.Module) -> int:
    """D, in how many directions a recurrent module reads."""
    return 2 if getattr(module, "bidirectional", False) else 1


def weight_path(module: nn.Module, name: str, layer: int, direction: int) -> str:
    """The path of a weight in its module: `weight_ih_l0_reverse`, or the name alone where it has no such ending."""
    ending = f"{name}_l{layer}{'_reverse' if direction else ''}"
    owner, _, last = ending.rpartition(".")
    return ending if hasattr(module.get_submodule(owner), last) else name


def weights_of(module: nn.Module, names: tuple[str, ...], layer: int, direction: int) -> dict[str, Tensor]:
    """The weights of one layer and direction by their names, detached."""
    found = {}
    for name in names:
        owner, _, last = weight_path(module, name, layer, direction).rpartition(".")
        found[name] = getattr(module.get_submodule(owner), last).detach()
    return found
