"""The line about an evaluation: it calls best what a reader can see to be better."""

from __future__ import annotations

from elman.training.lr_schedule import BestTracker
from elman.training.run_state import TrainState, evaluation_line


def lines(*values: float, higher_is_better: bool = False) -> list[str]:
    """What is said after `mase`, evaluation after evaluation."""
    state, said = TrainState(BestTracker(higher_is_better)), []
    for step, value in enumerate(values, 1):
        state.step, before = step, state.judge.best
        state.judge.update(value, step, "constant")
        said.append(evaluation_line(state, "mase", {"mase": value}, before).split(f"mase {value:.4f}", 1)[1].strip())
    return said


def test_best_is_what_is_shown_to_be_better() -> None:
    assert lines(0.70684, 0.70683, 0.70679, 0.70674, 0.8, 0.70673) == [
        "best so far", "", "", "best so far", "best mase 0.7067 at 4", "",
    ]  # fmt: skip
    assert lines(0.5, 0.50001, 0.5002, higher_is_better=True) == ["best so far", "", "best so far"]


def test_a_best_of_zero_is_a_best() -> None:
    assert lines(1.0, 0.0, 0.0) == ["best so far", "best so far", "best mase 0.0000 at 2"]
