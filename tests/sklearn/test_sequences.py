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


RAGGED = [pd.DataFrame(DRAW.normal(size=(length, 2)), columns=["a", "b"]) for length in (5, 6, 5, 7)]
EQUAL = [one.head(5) for one in RAGGED]
SMALL = ReservoirClassifier(hidden_size=16, random_state=0)


def in_levels(frames: list[pd.DataFrame], *, dated: bool = False) -> pd.DataFrame:
    joined = pd.concat(dict(zip("pqrs", frames, strict=True)))
    if dated:
        days = pd.Timestamp("2020-01-01") + pd.to_timedelta(joined.index.get_level_values(1), "D")
        joined.index = pd.MultiIndex.from_arrays([joined.index.get_level_values(0), days])
    return joined


def one_line_of(call: Any) -> str:
    with pytest.raises(UserError) as error:
        call()
    said = str(error.value)
    assert len(said.splitlines()) == 1
    return said


@pytest.mark.parametrize("frames", [RAGGED, EQUAL])
@pytest.mark.parametrize("form", [list, in_levels])
def test_names_of_columns_must_be_those_of_fit(frames: list[pd.DataFrame], form: Any) -> None:
    fitted = SMALL.fit(form(frames), [0, 1, 0, 1])
    assert list(fitted.feature_names_in_) == ["a", "b"]
    swapped = form([one[["b", "a"]] for one in frames])
    assert "has the columns 'b', 'a' in another order than 'a', 'b'" in one_line_of(lambda: fitted.predict(swapped))
    renamed = form([one.rename(columns={"b": "c"}) for one in frames])
    said = one_line_of(lambda: fitted.predict(renamed))
    assert "has the columns 'a', 'c', and wanted are 'a', 'b'; give every frame those of" in said
    with pytest.warns(
        UserWarning, match="X does not have valid feature names, but ReservoirClassifier was fitted with"
    ):
        fitted.predict([one.to_numpy() for one in frames])
    fitted.fit([one.to_numpy() for one in frames], [0, 1, 0, 1])
    assert not hasattr(fitted, "feature_names_in_")
    with pytest.warns(UserWarning, match="X has feature names, but ReservoirClassifier was fitted without"):
        fitted.predict(form(frames))


def test_frames_of_a_list_have_the_same_columns() -> None:
    y = [0, 1, 0, 1]
    said = one_line_of(lambda: SMALL.fit([*RAGGED[:3], RAGGED[3][["b", "a"]]], y))
    assert said.startswith("X[3] has the columns 'b', 'a' in another order")
    said = one_line_of(lambda: SMALL.fit([*RAGGED[:3], RAGGED[3].to_numpy()], y))
    assert said.startswith("X[3] and X[0] differ")
    said = one_line_of(lambda: SMALL.fit([one.rename(columns={"a": 0}) for one in RAGGED], y))
    assert "X[0] has columns with names and with numbers" in said


@pytest.mark.parametrize("dated", [False, True])
def test_rows_of_two_levels_are_sorted_by_time(dated: bool) -> None:
    frame = in_levels(RAGGED, dated=dated)
    fitted = SMALL.fit(frame, [0, 1, 0, 1])
    wanted = fitted.decision_function(RAGGED)
    np.testing.assert_array_equal(fitted.decision_function(frame), wanted)
    shuffled = frame.iloc[np.random.default_rng(1).permutation(len(frame))]
    order = ["pqrs".index(name) for name in shuffled.index.get_level_values(0).unique()]
    np.testing.assert_array_equal(fitted.decision_function(shuffled), wanted[order])
    reversed_rows = [one.to_numpy()[::-1] for one in RAGGED]
    with pytest.warns(UserWarning, match="feature names"):
        assert np.abs(fitted.decision_function(reversed_rows) - wanted).max() > 0.01  # that the order matters


def test_dated_frames_of_a_list_are_sorted_and_times_must_say_an_order() -> None:
    fitted = SMALL.fit(RAGGED, [0, 1, 0, 1])
    dated = [one.set_index(pd.date_range("2020", periods=len(one))) for one in RAGGED]
    wanted = fitted.decision_function(RAGGED)
    np.testing.assert_array_equal(fitted.decision_function([one.iloc[::-1] for one in dated]), wanted)
    frame = in_levels(RAGGED)
    twice = pd.concat([frame, frame.iloc[:1]])
    assert "the time 0 stands twice in series 'p'" in one_line_of(lambda: fitted.predict(twice))
    text = frame.set_axis(pd.MultiIndex.from_tuples([(one, f"t{time}") for one, time in frame.index]))
    assert "second level of the index of X is the time, and holds" in one_line_of(lambda: fitted.predict(text))
    lacking = frame.set_axis(pd.MultiIndex.from_tuples([(one, time or np.nan) for one, time in frame.index]))
    assert "missing value" in one_line_of(lambda: fitted.predict(lacking))


@pytest.mark.parametrize(
    "estimator", [RNN, RNNRegressor(**QUICK), SMALL, ReservoirRegressor(), ReservoirRegressor(every_step=True)]
)
def test_nothing_at_all_is_refused_in_words_of_our_own(estimator: Any) -> None:
    assert one_line_of(lambda: estimator.fit([], [])).startswith("X is empty")
    y = X3[:, :, 0] if getattr(estimator, "every_step", False) else Y
    fitted = estimator.set_params(**({"washout": 0} if hasattr(estimator, "every_step") else {})).fit(X3, y)
    assert one_line_of(lambda: fitted.predict([])).startswith("X is empty")
    assert one_line_of(lambda: fitted.predict(X3[:0])).startswith("X is empty")


def test_targets_too_large_to_compute_with_are_refused() -> None:
    for estimator in (RNNRegressor(**QUICK), ReservoirRegressor(hidden_size=8)):
        said = one_line_of(lambda estimator=estimator: estimator.fit(X3, Y * 1e200))  # type: ignore[misc]
        assert said == "y[1]: 1e+200 is too large to compute with; give numbers up to 1e+150"
        assert np.isfinite(estimator.fit(X3, Y * 1e149).predict(X3)).all()
    steps = ReservoirRegressor(every_step=True, washout=1, hidden_size=8)
    assert one_line_of(lambda: steps.fit(X3, X3[:, :, 0] * 1e200)).startswith("y[0][0]: ")


def test_one_sequence_of_each_class() -> None:
    two = DRAW.normal(size=(2, 6, 1))
    assert set(RNNClassifier(steps=2, random_state=0).fit(two, ["a", "b"]).predict(two)) <= {"a", "b"}
    for settings in ({"members": 1}, {"folds": 0}):
        said = one_line_of(lambda settings=settings: RNNClassifier(steps=2, **settings).fit(two, [0, 1]))  # type: ignore[misc]
        assert said.endswith("to learn and to check takes at least 2 of each class")
    said = one_line_of(lambda: RNN.fit(X3, np.zeros(20)))
    assert said == "RNNClassifier needs at least two classes, and y has 1 class: 0.0"


def test_sequences_shorter_than_the_washout() -> None:
    X = DRAW.normal(size=(3, 103, 1))
    for ridge, least in ((None, 103), (1.0, 101)):
        steps = ReservoirRegressor(every_step=True, hidden_size=8, ridge=ridge)
        said = one_line_of(lambda steps=steps, least=least: steps.fit(X[:, : least - 1], X[:, : least - 1, 0]))  # type: ignore[misc]
        assert said.startswith(f"the longest sequence has {least - 1} steps, of which `washout=100` leaves too few")
        assert np.isfinite(steps.fit(X[:, :least], X[:, :least, 0]).predict(X)).all()
    fraction = ReservoirRegressor(every_step=True, washout=2.5)  # type: ignore[arg-type]
    assert one_line_of(lambda: fraction.fit(X, X[:, :, 0])).startswith("`washout` is 2.5; give a whole number")
