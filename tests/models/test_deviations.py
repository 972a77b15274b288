"""The model without labels: scores, file and reasons, against what defines them."""

from collections.abc import Sequence
from itertools import combinations
from math import factorial, log
from pathlib import Path

import numpy as np
import pytest

from netops.models.card import ModelCard
from netops.models.contributions.of_deviations import DeviationContributions
from netops.models.deviations import DEVIATIONS, Deviations
from netops.models.explanation import Explainer
from netops.models.onnx_file import Scorer, Session, save_model
from netops.models.scaling import Scaling

#: The columns are cpu, cpu_mean_1h, loss, loss_mean_1h, flag (without a mean).
NAMES = ("cpu", "cpu_mean_1h", "loss", "loss_mean_1h", "flag")
CENTRE = [40.0, 1.0, 0.5, 0.0, 0.1]
SPREAD = [5.0, 0.2, 1.0, 2.0, 0.5]
SLOPE, INTERCEPT = 0.6, -7.0


@pytest.fixture(scope="module")
def model() -> Deviations:
    scaling = Scaling(np.array(CENTRE), np.array(SPREAD), 1e6, fill=True)
    usual = Scaling(np.array([41.0, 40.0, 2.0, 2.0, 0.2]), np.array([8.0, 6.0, 2.0, 1.0, 1.0]), 1e6, fill=True)
    return Deviations(np.array([0, 2, 4]), np.array([0, 2]), np.array([1, 3]), scaling, usual, SLOPE, INTERCEPT)


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    rng = np.random.default_rng(0)
    values = rng.standard_t(2, size=(500, 5)) * [8, 6, 2, 1, 1] + [40, 39, 1, 1, 0]
    values[rng.random(values.shape) < 0.1] = np.nan
    values[:4, 0] = np.inf, -np.inf, 1e300, 0.0
    values[0, 1] = np.inf
    return values


def log_odds(row: Sequence[float]) -> float:
    """Score a row by the definition, term by term."""
    cpu, cpu_mean, loss, loss_mean, flag = row
    terms = [cpu, loss, flag, cpu - cpu_mean, loss - loss_mean]
    total = 0.0
    for value, centre, spread in zip(terms, CENTRE, SPREAD, strict=True):
        z = 0.0 if np.isnan(value) else float(np.clip((value - centre) / spread, -1e6, 1e6))
        total += log(1 + (z / 4) ** 2)
    return SLOPE * total + INTERCEPT


def test_scores_are_the_definition(model: Deviations, features: np.ndarray) -> None:
    with np.errstate(invalid="ignore"):
        expected = [1 / (1 + np.exp(-log_odds(row))) for row in features]
    np.testing.assert_allclose(model.predict(features), expected, rtol=1e-5)


def test_the_file_gives_the_same(model: Deviations, features: np.ndarray) -> None:
    np.testing.assert_allclose(Session(model.build()).score(features), model.predict(features), atol=1e-6)
    assert model.build() == model.build()


def test_several_metrics_count_more_than_one_that_is_far_off(model: Deviations) -> None:
    usual = np.array([40.0, 39.0, 0.5, 0.5, 0.1])
    one, two = usual.copy(), usual.copy()
    one[0] += 16 * 5.0
    two[0], two[2] = usual[0] + 8 * 5.0, usual[2] + 8 * 1.0
    assert model.predict(np.array([two]))[0] > model.predict(np.array([one]))[0]


def test_an_unknown_value_is_no_deviation(model: Deviations) -> None:
    unknown = np.full((1, 5), np.nan)
    assert model.predict(unknown)[0] == pytest.approx(1 / (1 + np.exp(-INTERCEPT)))
    only_mean = np.array([[np.nan, 500.0, np.nan, np.nan, np.nan]])
    assert model.predict(only_mean)[0] == model.predict(unknown)[0]


def test_without_windows_there_are_levels_alone(features: np.ndarray) -> None:
    scaling, none = Scaling(np.array(CENTRE[:2]), np.array(SPREAD[:2]), 1e6, fill=True), np.zeros(0, np.int64)
    model = Deviations(np.array([0, 1]), none, none, scaling, scaling, SLOPE, INTERCEPT)
    both = features[:, :2].copy()
    np.testing.assert_allclose(Session(model.build()).score(both), model.predict(both), atol=1e-6)
    assert DeviationContributions(model).exact(both).shape == both.shape


@pytest.fixture(scope="module")
def folder(model: Deviations, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model") / DEVIATIONS
    spec = {"metrics": ["cpu", "loss", "flag"], "windows": [3_600_000_000_000], "statistics": ["mean"]}
    card = ModelCard("demo", DEVIATIONS, "v1", NAMES, spec, ("cpu", "loss", "flag"), 1, supervised=False)
    save_model(out, model.build(), card)
    return out


def test_contributions_add_up_to_the_risk_of_the_file(folder: Path, features: np.ndarray) -> None:
    explainer, risks = Explainer(folder), Scorer(folder).score(features)
    inner = (risks > 1e-6) & (risks < 1 - 1e-4)
    total = explainer.expected + explainer.exact(features).sum(axis=1)
    np.testing.assert_allclose(total[inner], np.log(risks[inner] / (1 - risks[inner])), atol=1e-3)
    np.testing.assert_array_equal(explainer.fast(features), explainer.exact(features))


def test_contributions_are_shapley_values(model: Deviations, features: np.ndarray) -> None:
    found = DeviationContributions(model)
    known = features[~np.isnan(features).any(axis=1)][5:25]
    for row, contributions in zip(known, found.exact(known), strict=True):
        np.testing.assert_allclose(contributions, _shapley(model, row, _reference(model)), atol=1e-5)


def _reference(model: Deviations) -> np.ndarray:
    """A device without deviations: levels at their centres, means below them by the centre of the difference."""
    centre = model.scaling.centre
    return np.array([centre[0], centre[0] - centre[3], centre[1], centre[1] - centre[4], centre[2]])


def _shapley(model: Deviations, row: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Average what each feature adds to each coalition of the others (Shapley 1953)."""
    count = len(row)

    def worth(coalition: tuple[int, ...]) -> float:
        mixed = reference.copy()
        mixed[list(coalition)] = row[list(coalition)]
        risk = model.predict(mixed[None])[0]
        return float(np.log(risk / (1 - risk)))

    values = np.zeros(count)
    for feature in range(count):
        others = [other for other in range(count) if other != feature]
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for coalition in combinations(others, size):
                values[feature] += weight * (worth((*coalition, feature)) - worth(coalition))
    return values


def test_reasons_name_the_metric_that_deviates(folder: Path) -> None:
    row = np.array([[95.0, 41.0, 0.5, 0.4, 0.1]])
    (reasons,) = Explainer(folder).reasons(row)
    assert reasons[0].feature == "cpu"
    assert reasons[0].contribution > 1
    assert reasons[0].text == "cpu is 95, 6.8 deviations above the training mean of 41"
