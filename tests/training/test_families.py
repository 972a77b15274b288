"""One contract that every model family keeps."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from netops.errors import NetopsError
from netops.models.fitted import Fitted
from netops.models.onnx_file import Session, build_model
from netops.models.scaling import Scaling
from netops.training.families.extra_trees import ExtraTrees
from netops.training.families.protocol import Family, FitData
from netops.training.families.registry import FAMILIES
from netops.training.families.sklearn import Sklearn
from netops.training.families.tensorflow import TensorFlow
from netops.training.families.xgboost import XGBoost
from netops.training.search import Limits, Search, Trial, best_of, evaluate_trial

SMALL = {
    "sklearn": {"max_iter": 30, "max_leaf_nodes": 15},
    "xgboost": {"n_estimators": 30, "max_depth": 4, "learning_rate": 0.1, "colsample_bytree": 0.8},
    "tensorflow": {"layers": (16, 8), "epochs": 6, "learning_rate": 0.01, "batch_size": 256},
    "extra_trees": {"n_estimators": 30, "max_features": "all"},
}
WIDTH = 6
#: What limits the iterations of a family, and what ends a fit early.
MOST = {Sklearn: "max_iter", XGBoost: "n_estimators", TensorFlow: "epochs", ExtraTrees: "n_estimators"}
PATIENCE = {Sklearn: "n_iter_no_change", XGBoost: "early_stopping_rounds", TensorFlow: "patience"}


@pytest.fixture(scope="session", params=list(FAMILIES))
def family(request: pytest.FixtureRequest) -> Family:
    """Each family with small hyper-parameters; what it imports is imported once."""
    made: Family = FAMILIES[request.param](**SMALL.get(request.param, {}))
    made.load(1)
    return made


def telemetry(rows: int = 4_000, seed: int = 0, scale: float = 1.0, offset: float = 0.0) -> tuple:
    """Raw features of which the first matters, the last is constant, with NaN; their labels."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, WIDTH))
    labels = (features[:, 0] + 0.3 * rng.normal(size=rows) > 1).astype(np.float32)
    features[:, -1] = 3.0
    features = features * scale + offset
    features[rng.random(features.shape) < 0.02] = np.nan
    return features, labels


def data_of(family: Family, features: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> tuple:
    """Scale as training does."""
    scaling = Scaling.fit(features, family.limit, not family.takes_missing)
    early = np.arange(len(labels)) % 5 == 0
    weights = np.ones(len(labels)) if weights is None else weights
    return scaling, FitData(scaling.apply(features), labels, weights, early)


def fitted(family: Family, features: np.ndarray, labels: np.ndarray, seed: int = 3) -> tuple[Scaling, Fitted]:
    """Fit."""
    scaling, data = data_of(family, features, labels)
    return scaling, family.fit(data, seed, 1)


@pytest.fixture(scope="session")
def model(family: Family) -> tuple[Scaling, Fitted]:
    """A fitted model of each family."""
    return fitted(family, *telemetry())


def test_learns(model: tuple[Scaling, Fitted]) -> None:
    features, labels = telemetry(seed=1)
    risks = model[1].predict(model[0].apply(features))
    assert risks.shape == labels.shape
    assert ((risks >= 0) & (risks <= 1)).all()
    assert risks[labels == 1].mean() > risks[labels == 0].mean() + 0.5
    assert model[1].iterations > 0


def test_same_seed_same_file(family: Family, model: tuple[Scaling, Fitted]) -> None:
    again = fitted(family, *telemetry())
    assert build_model(*again) == build_model(*model)


def test_a_search_ends_with_the_model_that_its_parameters_give_alone(family: Family) -> None:
    """Nothing of the trials before it is left in the winner."""
    _, data = data_of(family, *telemetry(rows=1_500))
    scaling = Scaling(np.zeros(WIDTH), np.ones(WIDTH), family.limit, fill=not family.takes_missing)
    trials: list[Trial] = []
    chosen, winner, _ = Search(data, 3, 1, Limits(3), trials.append).run(family)
    best = best_of(trials)
    assert best is not None
    assert best.average_precision == evaluate_trial(winner, data)
    assert build_model(scaling, winner) == build_model(scaling, chosen.fit(data, 3, 1))


def test_file_agrees_with_native_model(model: tuple[Scaling, Fitted]) -> None:
    features, _ = telemetry(seed=2)
    features[0], features[1], features[2] = np.nan, np.inf, -np.inf
    features[3], features[4] = 1e300, -1e300
    native = model[1].predict(model[0].apply(features))
    risks = Session(build_model(*model)).score(features)
    assert np.isfinite(risks).all()
    np.testing.assert_allclose(risks, native, atol=1e-5)


def test_thresholds_and_exact_ties_agree(model: tuple[Scaling, Fitted]) -> None:
    """Values that sit exactly on a split go the same way in the file."""
    if not hasattr(model[1], "trees"):
        pytest.skip("no trees")
    trees = model[1].trees()
    splits = trees.feature >= 0
    scaled = np.zeros((int(splits.sum()), WIDTH), np.float32)
    scaled[np.arange(len(scaled)), trees.feature[splits]] = trees.threshold[splits]
    plain = Scaling(np.zeros(WIDTH), np.ones(WIDTH), 1e9, fill=False)
    risks = Session(build_model(plain, model[1])).score(scaled.astype(np.float64))
    np.testing.assert_allclose(risks, model[1].predict(scaled), atol=1e-5)


def test_weights_count_as_rows(family: Family) -> None:
    """Healthy rows thinned to a fifth and weighted by five give the risks of all rows."""
    features, labels = telemetry(rows=8_000)
    fitted = (labels == 1) | (np.arange(len(labels)) % 5 == 0)
    weights = np.where(labels[fitted] == 1, 1.0, 5.0)
    scaling, data = data_of(family, features[fitted], labels[fitted], weights)
    risks = family.fit(data, 0, 1).predict(scaling.apply(features))
    assert risks.mean() == pytest.approx(labels.mean(), rel=0.2)


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 1e9), (1e-9, 0.0), (1e12, 1e15)])
def test_extreme_magnitudes_cost_nothing(family: Family, scale: float, offset: float) -> None:
    """The same signal far from zero, or tiny, or huge, is learned as well."""
    features, labels = telemetry(scale=scale, offset=offset)
    model = fitted(family, features, labels)
    risks = Session(build_model(*model)).score(features)
    assert risks[labels == 1].mean() > risks[labels == 0].mean() + 0.5
    np.testing.assert_allclose(risks, model[1].predict(model[0].apply(features)), atol=1e-5)


def test_row_order_of_scoring_does_not_matter(model: tuple[Scaling, Fitted]) -> None:
    features, _ = telemetry(rows=500, seed=4)
    session = Session(build_model(*model))
    order = np.random.default_rng(0).permutation(500)
    np.testing.assert_array_equal(session.score(features)[order], session.score(features[order]))
    one_by_one = np.concatenate([session.score(features[index : index + 1]) for index in range(50)])
    np.testing.assert_allclose(one_by_one, session.score(features)[:50], atol=1e-6)


def test_constant_feature_changes_nothing(family: Family, model: tuple[Scaling, Fitted]) -> None:
    features, _ = telemetry(rows=200, seed=5)
    changed = features.copy()
    changed[:, -1] = np.where(np.isnan(changed[:, -1]), np.nan, 3.0 + 1e-12)
    session = Session(build_model(*model))
    np.testing.assert_allclose(session.score(changed), session.score(features), atol=1e-6)


def test_inputs_stay_as_they_are(family: Family) -> None:
    features, labels = telemetry(rows=1_000)
    _, data = data_of(family, features, labels)
    before = data.features.copy(), data.labels.copy(), data.weights.copy()
    family.fit(data, 0, 1)
    for old, new in zip(before, (data.features, data.labels, data.weights), strict=True):
        np.testing.assert_array_equal(old, new)


def test_no_early_stopping_with_nothing_set_aside(family: Family) -> None:
    features, labels = telemetry(rows=1_000)
    _, data = data_of(family, features, labels)
    whole = FitData(data.features, data.labels, data.weights, np.zeros(len(labels), bool))
    assert family.fit(whole, 0, 1).iterations == getattr(family, MOST[type(family)])


def test_early_stopping_ends_a_fit_that_gains_nothing(family: Family) -> None:
    """Long before its end, where there is little to learn; a longer patience waits longer."""
    if family.rounds is None:
        pytest.skip("it never stops early")
    features, _ = telemetry(rows=1_500)
    rng = np.random.default_rng(0)
    labels = (np.nan_to_num(features[:, 0]) + 4 * rng.normal(size=len(features)) > 5).astype(np.float32)
    _, data = data_of(family, features, labels)
    most, patience_of = MOST[type(family)], PATIENCE[type(family)]
    short, long = (
        dataclasses.replace(family, **{most: 150, patience_of: patience}).fit(data, 0, 1).iterations  # type: ignore[type-var]
        for patience in (1, 10)
    )
    assert 1 <= short <= long < 150


@pytest.mark.parametrize("luck", ["best at once", "worse with each step"])
def test_early_stopping_keeps_as_many_steps_as_its_patience(family: Family, luck: str) -> None:
    """What is set aside is a handful of incidents: the first trees or epochs may rank it best by luck."""
    if family.rounds is None:
        pytest.skip("it never stops early")
    features, labels = telemetry(rows=1_000)
    _, data = data_of(family, features, labels)
    labels = np.where(data.early, 1 - data.labels, data.labels)
    weights = data.weights
    if luck == "best at once":  # the first tree ranks what is far from the boundary without a mistake
        labels, weights = data.labels, np.where(data.early & (np.abs(features[:, 0] - 1) < 1), 0, data.weights)
    lucky = FitData(data.features, labels, weights, data.early)
    assert family.fit(lucky, 0, 1).iterations >= getattr(family, PATIENCE[type(family)])


def test_one_class_is_refused_in_one_line(family: Family) -> None:
    features, labels = telemetry(rows=100)
    with pytest.raises(NetopsError, match="one class only") as error:
        data_of(family, features, np.zeros_like(labels))
    assert "\n" not in str(error.value)


def test_file_holds_no_code(model: tuple[Scaling, Fitted], tmp_path: Path) -> None:
    """Only operators of the ONNX standard: nothing that could call out."""
    import onnx

    graph = onnx.load_from_string(build_model(*model)).graph
    known = {
        "Sub",
        "Div",
        "Clip",
        "IsNaN",
        "Where",
        "Cast",
        "Add",
        "Log",
        "Gemm",
        "Relu",
        "TreeEnsembleRegressor",
        "Sigmoid",
        "Squeeze",
    }
    assert {node.op_type for node in graph.node} <= known
