"""Reasons, checked against what defines them."""

import dataclasses
import shutil
from itertools import combinations
from math import factorial
from pathlib import Path

import numpy as np
import pytest

from netops.config.durations import MINUTE
from netops.errors import NetopsError
from netops.features.spec import FeatureSpec
from netops.models.assessor import Assessor
from netops.models.card import ModelCard, read_card, write_card
from netops.models.contributions.of_forest import ForestContributions
from netops.models.contributions.of_net import NetContributions
from netops.models.contributions.of_trees import TreeContributions
from netops.models.contributions.scaled import scaled
from netops.models.explanation import Explainer, highest
from netops.models.onnx_file import Scorer, Session, build_model, calibrated, save_model
from netops.models.onnx_graph import Graph
from netops.models.platt import LIMIT, Platt
from netops.models.scaling import Scaling
from netops.models.trees import Trees
from netops.models.vote import VOTE, Member, build_vote, vote_risks
from netops.training.families.extra_trees import ExtraTrees
from netops.training.families.protocol import Family, FitData
from netops.training.families.sklearn import Sklearn
from netops.training.families.xgboost import XGBoost

WIDTH = 5
SPEC = FeatureSpec(tuple("abcde"), (MINUTE,)).to_dict()
FAMILIES: dict[str, Family] = {
    "xgboost": XGBoost(n_estimators=20, max_depth=4),
    "sklearn": Sklearn(max_iter=20),
    "extra_trees": ExtraTrees(n_estimators=20),
}


def rows(count: int = 2_000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, WIDTH))
    features[rng.random(features.shape) < 0.05] = np.nan
    return features


def data() -> tuple[Scaling, FitData]:
    features = rows()
    known = np.nan_to_num(features)
    labels = (known[:, 0] + known[:, 1] * known[:, 2] > 0.8).astype(np.float32)
    scaling = Scaling.fit(features, 1e9, fill=False)
    return scaling, FitData(scaling.apply(features), labels, np.where(labels, 1.0, 3.0), np.zeros(2_000, bool))


class Net:
    """A small perceptron with fixed weights."""

    iterations = 1

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        shapes = [(WIDTH, 8), (8, 4), (4, 1)]
        self.kernels = tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes)
        self.biases = tuple(rng.normal(size=shape[1]).astype(np.float32) for shape in shapes)

    def build(self, graph: Graph, scaled: str) -> str:
        output = scaled
        for index, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            constants = graph.constant(f"kernel_{index}", kernel), graph.constant(f"bias_{index}", bias)
            output = graph.add("Gemm", output, *constants)
            output = output if index == 2 else graph.add("Relu", output)
        return output


@pytest.fixture(scope="module", params=["xgboost", "sklearn", "extra_trees", "net"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    scaling, examples = data()
    if request.param == "net":
        scaling = Scaling(scaling.centre, scaling.spread, 8.0, fill=True)
        fitted = Net()
    else:
        fitted = FAMILIES[request.param].fit(examples, 0, 1)
    out = tmp_path_factory.mktemp(request.param) / "model"
    names = tuple("abcde")
    save_model(out, build_model(scaling, fitted), ModelCard("demo", request.param, "v", names, SPEC, (), 1))
    return out


@pytest.fixture(scope="module")
def vote(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Member]]:
    """A vote of four models, two scalings among them, in a folder; and its members."""
    scaling, examples = data()
    filled = Scaling(scaling.centre, scaling.spread, 8.0, fill=True)
    files = {name: build_model(scaling, family.fit(examples, 0, 1)) for name, family in FAMILIES.items()}
    files["net"] = build_model(filled, Net())
    calibrations = [Platt(0.5 + index, index - 1.0, 1, 1) for index in range(4)]
    members = {
        name: Member(calibrated(file, Platt(3.0, 0.0, 1, 1)), calibration)
        for (name, file), calibration in zip(files.items(), calibrations, strict=True)
    }
    out = tmp_path_factory.mktemp("vote") / "model"
    model = calibrated(build_vote(members), Platt(2.0, -1.0, 1, 1))
    save_model(out, model, ModelCard("demo", VOTE, "v", tuple("abcde"), SPEC, (), 1))
    return out, members


def test_a_vote_averages_the_calibrated_log_odds_of_its_members(vote: tuple[Path, dict[str, Member]]) -> None:
    folder, members = vote
    features = rows(300, seed=4)
    features[0], features[1] = np.inf, np.nan
    risks = {name: Session(member.model).score(features) for name, member in members.items()}
    odds = [member.calibration.odds(risks[name]) for name, member in members.items()]
    found, probabilities = Scorer(folder).both(features)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.mean(odds, axis=0))), atol=1e-6)
    expected = vote_risks(risks, {name: member.calibration for name, member in members.items()})
    np.testing.assert_allclose(found, expected, atol=1e-7)
    np.testing.assert_allclose(probabilities, Platt(2.0, -1.0, 1, 1).apply(found), atol=1e-6)


def test_the_same_members_give_the_same_file(vote: tuple[Path, dict[str, Member]]) -> None:
    assert build_vote(vote[1]) == build_vote(vote[1])


@pytest.mark.parametrize("method", ["fast", "exact"])
def test_reasons_of_a_vote_are_the_mean_of_its_members(
    vote: tuple[Path, dict[str, Member]], tmp_path: Path, method: str
) -> None:
    folder, members = vote
    features, means, expected = rows(40, seed=5), [], []
    for name, member in members.items():
        save_model(tmp_path / name, member.model, ModelCard("demo", name, "v", tuple("abcde"), SPEC, (), 1))
        own = Explainer(tmp_path / name)
        contributions = getattr(own, method)(features)
        inside = np.clip(own.expected + contributions.sum(axis=1), -LIMIT, LIMIT)
        factor = (inside - own.expected) / contributions.sum(axis=1)
        means.append(member.calibration.slope * contributions * factor[:, None] / len(members))
        expected.append(member.calibration.slope * own.expected + member.calibration.intercept)
    explainer = Explainer(folder)
    np.testing.assert_allclose(getattr(explainer, method)(features), np.sum(means, axis=0), atol=1e-9)
    assert explainer.expected == pytest.approx(np.mean(expected))


def test_reasons_of_a_vote_of_trees_add_up(tmp_path: Path) -> None:
    scaling, examples = data()
    files = {name: build_model(scaling, family.fit(examples, 0, 1)) for name, family in FAMILIES.items()}
    members = {name: Member(file, Platt(1.5, -0.5, 1, 1)) for name, file in files.items()}
    save_model(tmp_path / "m", build_vote(members), ModelCard("demo", VOTE, "v", tuple("abcde"), SPEC, (), 1))
    explainer, features = Explainer(tmp_path / "m", threads=2), rows(300, seed=6)
    risks = Scorer(tmp_path / "m").score(features)
    for contributions in (explainer.fast(features), explainer.exact(features)):
        np.testing.assert_allclose(explainer.expected + contributions.sum(axis=1), log_odds(risks), atol=2e-3)


def log_odds(risks: np.ndarray) -> np.ndarray:
    return np.log(risks / (1 - risks))


@pytest.mark.parametrize("exact", [False, True])
def test_contributions_add_up_to_the_risk_of_the_file(folder: Path, exact: bool) -> None:
    if folder.parent.name.startswith("net") and not exact:
        pytest.skip("input × gradient does not add up")
    explainer, features = Explainer(folder), rows(300, seed=1)
    contributions = explainer.exact(features) if exact else explainer.fast(features)
    total = explainer.expected + contributions.sum(axis=1)
    tolerance = 0.2 if folder.parent.name.startswith("net") else 2e-4
    np.testing.assert_allclose(total, log_odds(Scorer(folder).score(features)), atol=tolerance)


def test_threads_change_nothing(folder: Path) -> None:
    features = rows(1_000, seed=2)
    one, two = Explainer(folder), Explainer(folder, threads=2)
    np.testing.assert_allclose(two.fast(features), one.fast(features), atol=1e-5)


def test_reasons_are_the_greatest_contributions(folder: Path) -> None:
    explainer, features = Explainer(folder), rows(50, seed=3)
    contributions = explainer.fast(features)
    for row, reasons in zip(contributions, explainer.reasons(features), strict=True):
        raised = sorted((value for value in row if value > 0), reverse=True)[:3]
        assert [value for _, value, _ in reasons] == pytest.approx(raised)
        assert all(row["abcde".index(name)] == pytest.approx(value) for name, value, _ in reasons)
        assert all(text.startswith(f"{name} is") for name, _, text in reasons)


@pytest.mark.parametrize(("exact", "approximate"), [(True, False), (False, True)])
def test_agrees_with_xgboost(exact: bool, approximate: bool) -> None:
    import xgboost

    _, examples = data()
    fitted = XGBoost(n_estimators=50, min_child_weight=1.0).fit(examples, 0, 1)
    matrix = xgboost.DMatrix(examples.features[:200])
    theirs = fitted.booster.predict(matrix, pred_contribs=True, approx_contribs=approximate)
    explained = TreeContributions.of(fitted.trees())
    ours = explained.exact(examples.features[:200]) if exact else explained.walk(examples.features[:200])[0]
    np.testing.assert_allclose(ours, theirs[:, :-1], atol=1e-4)
    assert explained.expected == pytest.approx(theirs[0, -1], abs=1e-4)


def test_counts_of_messages_are_named_by_their_templates(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "m")
    card = read_card(folder)
    logs = {"columns": ["a", "b"], "texts": {"a": "link <*> down"}, "groups": {"b": [0]}}
    write_card(tmp_path / "m", dataclasses.replace(card, logs=logs))
    explainer = Explainer(tmp_path / "m")
    assert explainer.describe(0, 0.5).startswith("messages `link <*> down` is 0.5")
    assert explainer.describe(1, 0.5).startswith("messages of templates that precede incidents is 0.5")
    assert explainer.describe(2, 0.5).startswith("c is 0.5")


def test_exact_ones_are_shapley_values() -> None:
    """Against the definition: every subset of the features, unknown ones averaged over by the covers."""
    _, examples = data()
    trees = Sklearn(max_iter=3, max_leaf_nodes=8).fit(examples, 0, 1).trees()
    found = TreeContributions.of(trees).exact(examples.features[:5])
    for row, values in zip(examples.features[:5], found, strict=True):
        for feature in range(WIDTH):
            assert values[feature] == pytest.approx(_shapley(trees, row, feature), abs=1e-6)


def test_those_of_a_forest_are_in_proportion_to_shapley_values_of_its_risk() -> None:
    _, examples = data()
    fitted = ExtraTrees(n_estimators=3, max_depth=4).fit(examples, 0, 1)
    forest = ForestContributions(TreeContributions.of(fitted.trees()))
    rows = examples.features[:5]
    for row, values, risk in zip(rows, forest.exact(rows), fitted.predict(rows), strict=True):
        expected = np.array([_shapley(fitted.trees(), row, feature) for feature in range(WIDTH)])
        np.testing.assert_allclose(values * expected.sum(), expected * values.sum(), atol=1e-6)
        assert forest.expected + values.sum() == pytest.approx(log_odds(risk), abs=1e-3)


def _shapley(trees: Trees, row: np.ndarray, feature: int) -> float:
    others, total = [f for f in range(WIDTH) if f != feature], 0.0
    for size in range(WIDTH):
        weight = factorial(size) * factorial(WIDTH - size - 1) / factorial(WIDTH)
        for known in combinations(others, size):
            total += weight * (_value(trees, row, {*known, feature}) - _value(trees, row, set(known)))
    return total


def _value(trees: Trees, row: np.ndarray, known: set[int]) -> float:
    def below(node: int) -> float:
        feature, children = trees.feature[node], (trees.left[node], trees.right[node])
        if feature < 0:
            return float(trees.value[node])
        if feature in known:
            value = row[feature]
            left = trees.missing_left[node] if np.isnan(value) else value <= trees.threshold[node]
            return below(children[0] if left else children[1])
        covers = [float(trees.cover[child]) for child in children]
        return float(np.average([below(child) for child in children], weights=covers))

    return sum(below(int(root)) for root in trees.starts[:-1])


def test_net_gradient_is_the_slope() -> None:
    net = Net()
    contributions = NetContributions(net.kernels, net.biases)
    point, step = np.full((1, WIDTH), 0.3, np.float32), 1e-2
    for feature in range(WIDTH):
        moved = [point.copy(), point.copy()]
        moved[0][0, feature] -= step
        moved[1][0, feature] += step
        low, high = (float(contributions._forward(where)[1][0, 0]) for where in moved)
        assert contributions.fast(point)[0, feature] == pytest.approx(0.3 * (high - low) / (2 * step), abs=1e-2)


def test_highest() -> None:
    indices, values = highest(np.array([[1.0, 5, 3, 4], [-1, -2, 0, 2]]), 3)
    np.testing.assert_array_equal(indices, [[1, 3, 2], [3, 0, 0]])
    np.testing.assert_array_equal(values, [[5, 4, 3], [2, 0, 0]])


def test_refuses_what_it_cannot_explain(folder: Path, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(str(folder / "model.onnx"))
    del model.graph.initializer[:]
    (tmp_path / "card.json").write_bytes((folder / "card.json").read_bytes())
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(NetopsError, match="cannot be explained") as error:
        Explainer(tmp_path)
    assert "\n" not in str(error.value)


def check_same_to_the_bit(folder: Path) -> None:
    explainer, whole = Explainer(folder), Scorer(folder)
    assessor, features = Assessor(folder, explainer), rows(300, seed=7) * 2
    features[:4], features[4:6, 0] = [[np.inf], [-np.inf], [np.nan], [1e300]], [1e-300, 0.0]
    for count in (0, 1, 2, 63, 64, 65, 300):
        some = features[:count]
        expected, found = whole.both(some), assessor.assess(some)
        for risks, probabilities in ((found.risks, found.probabilities), assessor.both(some)):
            np.testing.assert_array_equal(risks, expected[0])
            np.testing.assert_array_equal(probabilities, expected[1])
        np.testing.assert_array_equal(assessor.score(some), expected[0])
        np.testing.assert_array_equal(found.contributions, explainer.fast(some))


def test_one_walk_gives_the_risks_of_the_file_to_the_bit(folder: Path) -> None:
    check_same_to_the_bit(folder)


def test_one_walk_gives_the_risks_of_a_vote_to_the_bit(vote: tuple[Path, dict[str, Member]]) -> None:
    check_same_to_the_bit(vote[0])


def test_trees_that_give_other_risks_are_not_used(
    vote: tuple[Path, dict[str, Member]], caplog: pytest.LogCaptureFixture
) -> None:
    folder = vote[0]

    class Off(Explainer):
        """Its trees are off by one float32."""

        def sums(self, features: np.ndarray) -> list[np.ndarray]:
            return [np.nextafter(sums, np.float32(np.inf)) for sums in super().sums(features)]

    assessor = Assessor(folder, Off(folder))
    assert "give other risks" in caplog.text
    features = rows(100, seed=8)
    np.testing.assert_array_equal(assessor.assess(features).risks, Scorer(folder).score(features))


@pytest.mark.parametrize("width", [1, 3, 700])
def test_a_walk_does_not_depend_on_other_rows(width: int) -> None:
    random = np.random.default_rng(width)
    features = random.normal(size=(400, width)).astype(np.float32)
    features[random.random(features.shape) < 0.1] = np.nan
    labels = (np.nan_to_num(features).sum(axis=1) > 0).astype(np.float32)
    fit = FitData(features, labels, np.ones(400), np.zeros(400, bool))
    trees = TreeContributions.of(XGBoost(n_estimators=30, max_depth=6).fit(fit, 0, 1).trees())
    contributions, (sums,) = trees.walk(features)
    for some in (slice(0, 1), slice(5, 70), slice(399, 400)):
        alone, (own,) = trees.walk(features[some])
        np.testing.assert_array_equal(alone, contributions[some])
        np.testing.assert_array_equal(own, sums[some])
        np.testing.assert_array_equal(trees.sums(features[some])[0], sums[some])


@pytest.mark.parametrize("fill", [False, True])
def test_compiled_scaling_is_the_same_to_the_bit(fill: bool) -> None:
    features = rows(500, seed=9) * np.array([1e9, 1e-9, 1e300, 1.0, 3.0])
    features[:3] = [[np.inf], [-np.inf], [np.nan]]
    scaling = Scaling(
        np.array([1e9, 0.0, -1e300, 1e-300, 0.1]), np.array([1e-3, 1e-300, 1e10, 3.0, 0.7]), 1e9, fill
    )
    np.testing.assert_array_equal(scaled(scaling, features), scaling.apply(features))
    np.testing.assert_array_equal(scaled(scaling, features[:, ::-1]), scaling.apply(features[:, ::-1]))
