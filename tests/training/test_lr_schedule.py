"""The learning rate of a step, and the judge of the best weights."""

import math

import pytest

from elman.errors import UserError
from elman.training.lr_schedule import BestTracker, learning_rate
from elman.training.settings import TrainingSettings


def test_warm_up_then_cosine() -> None:
    settings = TrainingSettings(steps=110, warmup=10, lr=1.0, lr_floor=0.1)
    assert learning_rate(settings, 0, 0) == pytest.approx(0.1)
    assert learning_rate(settings, 9, 0) == pytest.approx(1.0)
    assert learning_rate(settings, 60, 0) == pytest.approx(0.55)
    assert learning_rate(settings, 110, 0) == pytest.approx(0.1)
    rates = [learning_rate(settings, step, 0) for step in range(10, 111)]
    assert rates == sorted(rates, reverse=True)


def test_plateau_and_constant() -> None:
    plateau = TrainingSettings(schedule="plateau", warmup=0, lr=1.0)
    assert [learning_rate(plateau, 500, drops) for drops in range(3)] == [1.0, 0.25, 0.0625]
    assert learning_rate(TrainingSettings(schedule="constant", warmup=0, lr=0.5), 1999, 0) == 0.5


def test_the_judge_counts_and_drops() -> None:
    judge = BestTracker(higher_is_better=False)
    assert [judge.update(value, step, "plateau") for step, value in enumerate([3.0, 2.0, 2.5, 2.5, 2.5, 1.9])] == [
        True,
        True,
        False,
        False,
        False,
        True,
    ]
    assert (judge.best, judge.best_step, judge.drops) == (1.9, 5, 1)
    assert not judge.out_of_patience(1)
    judge.update(5.0, 6, "cosine")
    assert judge.out_of_patience(1)
    assert not judge.out_of_patience(0)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"lr": math.nan}, {"lr": 0.0}, {"beta2": 1.0}, {"clip_norm": -1.0}, {"batch_size": 0}]
)
def test_settings_check_themselves(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=f"`{next(iter(wrong))}`"):
        TrainingSettings(**wrong)  # type: ignore[arg-type]
