"""Calibration: from risks to probabilities."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.evaluation.calibration import reliability
from netops.models.card import ModelCard, read_card
from netops.models.fitted import Fitted
from netops.models.onnx_file import MODEL_FILE, Scorer, Session, build_model, calibrated, save_model
from netops.models.platt import EDGE, Platt, Uncalibrated, fit_platt
from netops.models.scaling import Scaling
from tests.models.test_onnx_file import Sum
from tests.training.test_families import family, model, telemetry  # noqa: F401  fixtures over all families

SKEWED = Platt(0.4, -1.3, 100, 10)


def sigmoid(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-odds))


def world(rows: int, seed: int, slope: float = 0.5, intercept: float = -1.0) -> tuple[np.ndarray, np.ndarray]:
    """Risks that are off as told, and labels: the probability of a label is not its risk."""
    random = np.random.default_rng(seed)
    odds = random.normal(-3, 2, rows)
    labels = (random.random(rows) < sigmoid(slope * odds + intercept)).astype(np.int8)
    return sigmoid(odds), labels


@pytest.mark.parametrize(
    ("rows", "slope", "intercept"), [(200, 0.5, -1.0), (5_000, 1.7, 0.4), (50_000, 0.2, -2.0), (5_000, 1.0, 0.0)]
)
def test_parameters_are_those_of_scikit_learn(rows: int, slope: float, intercept: float) -> None:
    from sklearn.calibration import _SigmoidCalibration

    risks, labels = world(rows, 3, slope, intercept)
    found = fit_platt(risks, labels)
    theirs = _SigmoidCalibration().fit(np.log(risks / (1 - risks)), labels)
    assert isinstance(found, Platt)
    assert (found.slope, found.intercept) == pytest.approx((-theirs.a_, -theirs.b_), rel=2e-4, abs=2e-4)
    assert (found.rows, found.positives) == (rows, labels.sum())


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(20, 3_000),
    st.floats(0.05, 5.0),
    st.floats(-4.0, 4.0),
    st.floats(0.01, 30.0),
)
def test_no_other_parameters_are_likelier(
    seed: int, rows: int, slope: float, intercept: float, spread: float
) -> None:
    """The gradient of the regularised cross-entropy is zero at what is found, however the risks are spread."""
    random = np.random.default_rng(seed)
    odds = np.clip(random.normal(-2, spread, rows), -16, 16)
    labels = (random.random(rows) < sigmoid(slope * odds + intercept)).astype(np.int8)
    found = fit_platt(sigmoid(odds), labels)
    if isinstance(found, Uncalibrated):
        # Where nothing can be learned, or the best line does not rise.
        rising = np.corrcoef(odds, labels)[0, 1] if 0 < labels.sum() < rows else 0.0
        assert rising < 0.2
        assert found.reason.endswith(".")
        return
    positives = labels.sum()
    target = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (rows - positives + 2))
    odds = np.log(sigmoid(odds) / (1 - sigmoid(odds)))
    error = sigmoid(found.slope * odds + found.intercept) - target
    assert abs(error.sum()) < 1e-6 * rows
    assert abs(error @ odds) < 1e-5 * rows


def test_a_skewed_model_means_what_it_says_on_fresh_data() -> None:
    found = fit_platt(*world(40_000, 0))
    assert isinstance(found, Platt)
    risks, labels = world(40_000, 1)
    raw, calibrated = reliability(risks, labels), reliability(found.apply(risks), labels)
    assert raw.expected_calibration_error > 0.05
    assert calibrated.expected_calibration_error < 0.02
    assert calibrated.brier < raw.brier


def test_what_is_right_stays_as_it_is() -> None:
    risks, labels = world(200_000, 5, slope=1.0, intercept=0.0)
    found = fit_platt(risks, labels)
    assert isinstance(found, Platt)
    assert np.abs(found.apply(risks) - risks).max() < 0.02


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=50), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_probabilities_rank_as_risks_do(risks: list[float], slope: float, intercept: float) -> None:
    ordered = np.sort(np.array(risks))
    calibrated = Platt(slope, intercept, 1, 1).apply(ordered)
    assert ((calibrated >= 0) & (calibrated <= 1)).all()
    assert (np.diff(calibrated) >= 0).all()


def test_unscored_and_unlabelled_samples_do_not_count() -> None:
    risks, labels = world(3_000, 2)
    more = np.concatenate([risks, np.full(500, np.nan), np.full(500, 0.99)])
    blind = np.concatenate([labels, np.ones(500, np.int8), np.full(500, -1, np.int8)])
    assert fit_platt(more, blind) == fit_platt(risks, labels)
    assert np.isnan(SKEWED.apply(np.array([0.5, np.nan]))).tolist() == [False, True]


@pytest.mark.parametrize(
    ("risks", "labels", "reason"),
    [
        ([0.1, 0.2, 0.3], [0, 0, 0], "one class only"),
        ([0.1, 0.2, 0.3], [1, 1, 1], "one class only"),
        ([0.3, 0.3, 0.3], [0, 1, 0], "are equal"),
        ([0.1, 0.2, 0.8, 0.9] * 50, [1, 1, 0, 0] * 50, "does not rise"),
        ([], [], "one class only"),
    ],
)
def test_what_cannot_be_calibrated_says_why(risks: list[float], labels: list[int], reason: str) -> None:
    found = fit_platt(np.array(risks), np.array(labels, np.int8))
    assert isinstance(found, Uncalibrated)
    assert reason in found.reason
    assert found.to_dict()["positives"] == sum(labels)
    assert Platt.from_dict(found.to_dict()) is None


def test_certain_risks_stay_finite() -> None:
    """Risks of exactly 0 and 1, as a saturated net gives them, and classes that can be told apart."""
    found = fit_platt(np.array([0.0, 0.0, 0.0, 1.0, 1.0] * 20), np.array([0, 0, 0, 1, 1] * 20, np.int8))
    assert isinstance(found, Platt)
    assert np.isfinite([found.slope, found.intercept]).all()
    # The targets are drawn in: 40 positives of 100 show no certainty.
    assert found.apply(np.array([0.0, 1.0])) == pytest.approx([1 / 62, 41 / 42], abs=1e-6)


def test_the_card_gives_it_back() -> None:
    assert Platt.from_dict(SKEWED.to_dict()) == SKEWED
    assert Platt.from_dict({}) is None
    assert Platt.from_dict(Uncalibrated("So it is.", 3, 0).to_dict()) is None


def test_nodes_are_the_formula_and_leave_the_risks_alone(model: tuple[Scaling, Fitted]) -> None:  # noqa: F811
    """In every family: the same bits of risk, and the probability of the formula."""
    plain = build_model(*model)
    whole = calibrated(plain, SKEWED)
    features, _ = telemetry(seed=11)
    before, after = Session(plain), Session(whole)
    for rows in (features, features[:1], features[:0]):
        risks, probabilities = after.both(rows)
        np.testing.assert_array_equal(risks, before.score(rows))
        np.testing.assert_array_equal(after.score(rows), risks)
        np.testing.assert_allclose(probabilities, SKEWED.apply(risks), atol=1e-6)
    assert calibrated(plain, SKEWED) == whole
    assert calibrated(plain, replace(SKEWED, slope=0.41)) != whole


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3), st.integers(0, 2**32 - 1))
def test_nodes_are_the_formula_for_any_parameters(slope: float, intercept: float, seed: int) -> None:
    calibration = Platt(slope, intercept, 1, 1)
    scaling = Scaling(np.zeros(2), np.ones(2), 1e9, fill=True)
    session = Session(calibrated(build_model(scaling, Sum()), calibration))
    rows = np.random.default_rng(seed).normal(0, 12, size=(200, 2))
    rows[:4] = [[1e6, 0], [-1e6, 0], [np.nan, 0], [np.inf, -np.inf]]
    risks, probabilities = session.both(rows)
    np.testing.assert_array_equal(risks, session.score(rows))
    np.testing.assert_allclose(probabilities, calibration.apply(risks), atol=1e-6)


def test_an_independent_session_sees_both_outputs(model: tuple[Scaling, Fitted]) -> None:  # noqa: F811
    """As anybody else would read the file: no options, no threads set."""
    import onnxruntime

    session = onnxruntime.InferenceSession(calibrated(build_model(*model), SKEWED))
    assert [(output.name, output.type) for output in session.get_outputs()] == [
        ("risk", "tensor(float)"),
        ("probability", "tensor(float)"),
    ]
    features, _ = telemetry(rows=300, seed=12)
    risk, probability = session.run(None, {"features": features})
    assert risk.shape == probability.shape == (300,)
    odds = np.log(np.clip(risk.astype(np.float64), EDGE, 1 - EDGE))
    odds -= np.log1p(-np.clip(risk.astype(np.float64), EDGE, 1 - EDGE))
    np.testing.assert_allclose(probability, sigmoid(0.4 * odds - 1.3), atol=1e-6)


def test_a_model_of_before_has_no_probability(model: tuple[Scaling, Fitted], tmp_path: Path) -> None:  # noqa: F811
    features, _ = telemetry(rows=50, seed=13)
    names = tuple("abcdef")
    save_model(tmp_path / "old", build_model(*model), ModelCard("demo", "sum", "abc", names, {}, ("a",), 1))
    assert (tmp_path / "old" / MODEL_FILE).is_file()
    assert read_card(tmp_path / "old").calibration == {}
    risks, probabilities = Scorer(tmp_path / "old").both(features)
    np.testing.assert_array_equal(risks, Scorer(tmp_path / "old").score(features))
    assert np.isnan(probabilities).all()
