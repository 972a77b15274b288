"""Tree ensembles as arrays."""

import numpy as np
import pytest

from netops.errors import NetopsError
from netops.models.contributions.of_trees import TreeContributions
from netops.models.onnx_graph import Graph
from netops.models.trees import Trees


def stump(**changes: object) -> Trees:
    """One split of feature 1 at 0.5, and a node that nothing leads to."""
    fields = {
        "base": 0.1,
        "strict": True,
        "starts": np.array([0, 4]),
        "feature": np.array([1, -1, -1, -1], np.int32),
        "threshold": np.array([0.5, 0, 0, 0], np.float32),
        "value": np.array([0, -1, 2, 9], np.float32),
        "left": np.array([1, -1, -1, -1], np.int32),
        "right": np.array([2, -1, -1, -1], np.int32),
        "missing_left": np.array([True, False, False, False]),
        "cover": np.array([4, 3, 1, 0], np.float32),
    }
    return Trees(**fields | changes)


def node_of(trees: Trees) -> object:
    graph = Graph()
    trees.build(graph, "scaled")
    return graph._nodes[0]


def test_round_trip_through_the_file() -> None:
    trees = stump()
    again = Trees.parse(node_of(trees), width=2)
    assert again.base == pytest.approx(trees.base)
    assert again.strict
    for name in ("starts", "feature", "threshold", "left", "right", "missing_left", "cover", "value"):
        np.testing.assert_array_equal(getattr(again, name), getattr(trees, name))


@pytest.mark.parametrize(
    "changes",
    [
        {"left": np.array([0, -1, -1, -1], np.int32)},
        {"right": np.array([7, -1, -1, -1], np.int32)},
        {"feature": np.array([2, -1, -1, -1], np.int32)},
    ],
)
def test_refuses_trees_that_lead_astray(changes: dict) -> None:
    with pytest.raises(NetopsError, match="invalid tree"):
        Trees.parse(node_of(stump(**changes)), width=2)


@pytest.mark.parametrize("strict", [True, False])
def test_a_value_at_the_threshold(strict: bool) -> None:
    explained = TreeContributions.of(stump(strict=strict))
    assert explained.expected == pytest.approx(0.1 + (3 * -1 + 2) / 4)
    scaled = np.array([[0, 0.5], [0, 0.4], [0, np.nan]], np.float32)
    expected = [2 if strict else -1, -1, -1]
    for contributions in (explained.walk(scaled)[0], explained.exact(scaled)):
        np.testing.assert_allclose(contributions[:, 1] + explained.expected - 0.1, expected)
        np.testing.assert_array_equal(contributions[:, 0], 0)


def test_recomputes_the_weights_of_nodes() -> None:
    scaled = np.array([[0, 0.0], [0, 1.0], [0, np.nan]], np.float32)
    trees = stump().with_cover(scaled, np.array([1.0, 5.0, 2.0]))
    np.testing.assert_array_equal(trees.cover, [8, 3, 5, 0])
