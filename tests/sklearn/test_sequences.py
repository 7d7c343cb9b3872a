"""What estimators take for X, and the one line for what they do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from elman.errors import UserError
from elman.sklearn import ReservoirClassifier, ReservoirRegressor, RNNClassifier, RNNRegressor

DRAW = np.random.default_rng(0)
X3 = DRAW.normal(size=(20, 7, 2))
Y = np.arange(20) % 2
QUICK: dict[str, Any] = {"steps": 4, "hidden_size": 4, "members": 1, "folds": 0, "stride": 1, "scales": 1}
RNN = RNNClassifier(**QUICK, random_state=0)


def test_arrays_lists_and_frames_of_the_same_series_are_the_same() -> None:
    index = pd.MultiIndex.from_product([range(20), range(7)])
    frame = pd.DataFrame(X3.reshape(140, 2), index=index, columns=["a", "b"])
    ways = [X3, list(X3), X3.tolist(), [pd.DataFrame(one) for one in X3], frame]
    answers = [ReservoirClassifier(hidden_size=16, random_state=0).fit(X, Y).decision_function(X) for X in ways]
    for other in answers[1:]:
        np.testing.assert_allclose(other, answers[0], rtol=1e-12)
    rows = ReservoirClassifier(hidden_size=16, random_state=0).fit(X3[:, :, 0], Y)
    assert rows.n_features_in_ == 7
    as_frame = rows.decision_function(pd.DataFrame(X3[:, :, 0]).to_numpy())
    np.testing.assert_allclose(rows.decision_function(X3[:, :, :1]), as_frame, rtol=1e-12)


@pytest.mark.parametrize("estimator", [RNN, ReservoirClassifier(hidden_size=16, random_state=0)])
def test_a_sequence_gets_the_same_answer_alone_and_among_longer_ones(estimator: Any) -> None:
    ragged = [DRAW.normal(size=(length, 2)) for length in (3, 9, 1, 5, 4, 4, 8, 2)]
    fitted = estimator.fit(ragged, np.arange(8) % 2)
    ask = fitted.predict_proba if hasattr(fitted, "predict_proba") else fitted.decision_function
    alone = np.concatenate([ask([one]) for one in ragged])
    np.testing.assert_allclose(ask(ragged), alone, rtol=1e-10, atol=1e-12)
    objects = np.empty(8, dtype=object)
    objects[:] = ragged
    np.testing.assert_allclose(ask(objects), alone, rtol=1e-10, atol=1e-12)


def test_regression_learns_a_number_of_ragged_sequences() -> None:
    series = [DRAW.normal(size=(DRAW.integers(4, 9), 1)) for _ in range(120)]
    y = np.array([[one.mean(), one[-1, 0]] for one in series]) * [10, 1] + [1000, 0]
    fitted = RNNRegressor(**{**QUICK, "steps": 150, "hidden_size": 24}, lr=1e-2, random_state=0).fit(
        series[:90], y[:90]
    )
    assert fitted.score(series[90:], y[90:]) > 0.5  # 0 is the mean of the targets
    assert ReservoirRegressor(random_state=0).fit(series[:90], y[:90]).score(series[90:], y[90:]) > 0.9


def test_each_step_has_its_own_target() -> None:
    X = DRAW.normal(size=(3, 400, 1))
    y = np.concatenate([np.zeros((3, 2)), X[:, :-2, 0]], axis=1)  # two steps ago
    fitted = ReservoirRegressor(every_step=True, input_scale=0.1, random_state=0).fit(X[:2], y[:2])
    assert fitted.predict(X[2:]).shape == (1, 400)
    assert fitted.score(X[2:], y[2:]) > 0.99
    ragged = fitted.predict([X[0, :50], X[1, :60]])
    assert [len(one) for one in ragged] == [50, 60]


def with_nan() -> Any:
    X = X3.copy()
    X[3, 2, 1] = np.nan
    return X


@pytest.mark.parametrize(
    ("X", "says"),
    [
        (with_nan(), r"Input X contains NaN: X\[3\]\[2, 1\]; mend it, or set `interpolate=True`"),
        ([*X3[:19], np.zeros((0, 2))], r"X\[19\] has no steps"),
        ([*X3[:19], np.zeros((4, 3))], r"X\[19\] has 3 channels, but X\[0\] has 2"),
        ([*X3[:19], "word"], "could not convert|no sequence of numbers"),
        (X3 * 1e300, r"X\[0\] contains infinity or a value too large for float32"),
        (X3[None], r"X has shape \(1, 20, 7, 2\)"),
        ([], "0 sample|minimum of 1|Expected 2D"),
    ],
)
def test_what_cannot_be_learned_from_is_said_in_one_line(X: Any, says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        ReservoirClassifier(hidden_size=8).fit(X, Y)
    assert len(str(error.value).splitlines()) == 1


def test_other_channels_at_predict_are_refused_and_gaps_are_filled_where_asked_for() -> None:
    fitted = ReservoirClassifier(hidden_size=8, interpolate=True, random_state=0).fit(with_nan(), Y)
    with pytest.raises(UserError, match="has 3 channels, but ReservoirClassifier is expecting 2"):
        fitted.predict(np.zeros((2, 7, 3)))
    with pytest.raises(UserError, match=r"`settings` has 'hiden_size', which is no setting here"):
        RNNClassifier(settings={"hiden_size": 3}).fit(X3, Y)
    with pytest.raises(UserError, match="`lr`"):
        RNNClassifier(lr=-1).fit(X3, Y)
    with pytest.raises(UserError, match="1 class"):
        RNN.fit(X3, np.zeros(20))
    with pytest.raises(UserError, match="`leak` is 2"):
        ReservoirClassifier(leak=2).fit(X3, Y)


def test_sequences_of_sizes_far_apart_are_each_divided_by_their_own() -> None:
    wide = [one * 10.0 ** (number % 7) for number, one in enumerate(X3)]
    fitted = RNN.fit(wide, Y)
    assert fitted.settings_.scale == "series"
    assert fitted.n_features_in_ == 2
    assert np.isfinite(fitted.predict_proba([np.zeros((3, 2)), *wide])).all()
    assert RNN.fit(X3, Y).settings_.scale == "channels"
    assert RNNRegressor(**QUICK, random_state=0).fit(wide, Y).settings_.scale == "channels"
    by_size = RNNRegressor(**QUICK, scale="series", random_state=0).fit(wide, Y)
    assert np.isfinite(by_size.predict(wide)).all()
    assert ReservoirClassifier(hidden_size=8, scale="series", random_state=0).fit(wide, Y).predict(wide).shape == (20,)
    with pytest.raises(UserError, match="`scale=series` needs all of a sequence, which `every_step` has not"):
        ReservoirRegressor(every_step=True, scale="series").fit(wide, [one[:, 0] for one in wide])


def test_verbose_tells_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    RNNClassifier(**QUICK, random_state=0, verbose=2).fit(X3, Y)
    said = capsys.readouterr()
    assert "RNNClassifier: step 1 of 4" in said.err
    assert not said.out
    RNN.fit(X3, Y)
    assert not capsys.readouterr().err
