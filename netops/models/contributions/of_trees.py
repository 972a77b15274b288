"""Contribution of each feature to the log-odds of a tree ensemble: a fast and an exact method, compiled.

Both are additive: expected value + sum of the contributions = log-odds of the risk. The expected value of a node is
the mean of its leaves, weighted by their cover, the weight of the training rows that reach them.

Fast: going down a tree, each split gives the change of the expected value to its feature (Saabas 2014). Features
near the root get too little. Exact: Shapley values of the game in which an unknown feature sends a sample down both
ways by their covers (path-dependent TreeSHAP, Lundberg et al. 2020), computed leaf by leaf.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netops.kernels import inlined, kernel
from netops.models.trees import Trees

Scaled = npt.NDArray[np.float32]
Contributions = npt.NDArray[np.float64]
#: Of the leaves that rows reach, n × 1.
Sums = npt.NDArray[np.float32]

STEP = np.dtype(
    [
        ("feature", np.int32),
        ("missing", np.bool_),
        ("low", np.float32),
        ("high", np.float32),
        ("share", np.float64),
    ],
    align=True,
)
#: Rows that go down a tree together: at most, and by how many features, so that they stay in the nearest caches.
_BLOCK, _BLOCK_VALUES = 64, 20_000


@dataclass(frozen=True)
class TreeContributions:
    """A tree ensemble prepared for scores and explanations.

    Attributes
    ----------
    expected : float
        Log-odds when nothing is known.
    base : float32
        Log-odds before any tree.
    """

    expected: float
    base: np.float32
    strict: bool
    down: "Descent"
    leaves: npt.NDArray[np.int64]
    steps: npt.NDArray[np.void]
    values: npt.NDArray[np.float64]

    @classmethod
    def of(cls, trees: Trees) -> "TreeContributions":
        """Prepare an ensemble."""
        cover, expected = _expected(trees)
        base = trees.base + float(expected[trees.starts[:-1]].sum())
        down = Descent.of(trees, expected)
        return cls(base, np.float32(trees.base), trees.strict, down, *_paths(trees, cover))

    def walk(self, scaled: Scaled) -> tuple[Contributions, list[Sums]]:
        """Return the path contributions of n × F scaled features, n × F log-odds, and what :meth:`sums` does."""
        contributions, sums = _walk(scaled, self.down)
        return contributions, [sums[:, None] + self.base]

    def sums(self, scaled: Scaled) -> list[Sums]:
        """Return the output of the ensemble's node in the model file, n × 1, for n × F scaled features.

        It is that of onnxruntime to the bit: leaves are added as float32 in the order of the trees, then the base.
        """
        return [_sum(scaled, self.down)[:, None] + self.base]

    def exact(self, scaled: Scaled) -> Contributions:
        """Return the Shapley values of n × F scaled features: n × F log-odds."""
        return _exact(scaled, self.leaves, self.steps, self.values, self.strict)


class Descent(NamedTuple):
    """The nodes in the order in which one goes down, each with what follows on its two sides.

    Rows go down a tree together, one level after the other, without a branch that depends on them: a processor
    mispredicts every other split, and works on several rows at once.

    Attributes
    ----------
    roots, depths : int64 arrays, T
        Of the trees.
    feature : uint32 array, N
        Twice that of the split, plus one if a missing value goes right: rows have each feature twice in turn, a
        missing one as −∞ and as +∞.
    threshold : float32 array, N
        At or below it a sample goes left; +∞ at a leaf.
    following : uint32 array, 2 N
        Left and right child of each node; a leaf follows itself.
    change : float64 array, 2 N
        By how much the expected value of these differs from that of the node.
    value : float32 array, N
        Of leaves.
    """

    roots: npt.NDArray[np.int64]
    depths: npt.NDArray[np.int64]
    feature: npt.NDArray[np.uint32]
    threshold: npt.NDArray[np.float32]
    following: npt.NDArray[np.uint32]
    change: npt.NDArray[np.float64]
    value: npt.NDArray[np.float32]

    @classmethod
    def of(cls, trees: Trees, expected: npt.NDArray[np.float64]) -> "Descent":
        """Put the nodes of trees of F = ``width`` features in this order."""
        order, depths = _in_order(trees)
        index = np.zeros(len(expected), np.int64)
        index[order] = np.arange(len(order))
        splits = trees.feature[order] >= 0
        children = np.stack([trees.left[order], trees.right[order]], axis=1)
        children[~splits] = order[~splits, None]
        # All comparisons are "at or below" here: for float32, below t is at or below its predecessor.
        below = np.nextafter(trees.threshold, np.float32(-np.inf)) if trees.strict else trees.threshold
        below = np.minimum(below, np.finfo(np.float32).max)[order]  # +∞ is above any threshold
        column = 2 * trees.feature[order] + ~trees.missing_left[order]
        return cls(
            index[trees.starts[:-1]],
            depths,
            np.where(splits, column, 0).astype(np.uint32),
            np.where(splits, below, np.inf).astype(np.float32),
            index[children].astype(np.uint32).ravel(),
            (expected[children] - expected[order, None]).ravel(),
            np.where(splits, 0, trees.value[order]).astype(np.float32),
        )


def _in_order(trees: Trees) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the nodes in the order of the walk, without unreachable ones, and the depth of each tree."""
    order, depths = np.empty(len(trees.feature), np.int64), np.zeros(len(trees.starts) - 1, np.int64)
    count = 0
    for tree, root in enumerate(trees.starts[:-1].tolist()):
        ways = [(root, 0)]
        while ways:
            node, depth = ways.pop()
            order[count], count = node, count + 1
            depths[tree] = max(depths[tree], depth)
            if trees.feature[node] >= 0:
                ways += [(int(trees.right[node]), depth + 1), (int(trees.left[node]), depth + 1)]
    return order[:count], depths


def _expected(trees: Trees) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sum covers and average values from the leaves up; children come after their parents."""
    # A leaf without rows gets a tiny cover, so that fractions are defined everywhere.
    floor = max(float(trees.cover.max(initial=0)), 1.0) * 1e-9
    cover = np.maximum(trees.cover.astype(np.float64), floor)
    expected = trees.value.astype(np.float64)
    for node in np.flatnonzero(trees.feature >= 0)[::-1]:
        children = trees.left[node], trees.right[node]
        cover[node] = cover[children[0]] + cover[children[1]]
        expected[node] = sum(cover[child] * expected[child] for child in children) / cover[node]
    return cover, expected


def _paths(
    trees: Trees, cover: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.void], npt.NDArray[np.float64]]:
    """List per leaf the feature ranges on its path, and the fraction reaching it if a feature is unknown."""
    starts, steps, values = [0], [], []
    whole = (False, np.float32(-np.inf), np.float32(np.inf))
    for root in trees.starts[:-1]:
        ways: list[tuple[int, dict[int, tuple[bool, np.float32, np.float32, float]]]] = [(int(root), {})]
        while ways:
            node, way = ways.pop()
            feature = int(trees.feature[node])
            if feature < 0:
                if trees.value[node] == 0:  # nothing to share out; in a forest, every second leaf
                    continue
                steps += [(name, *step) for name, step in way.items()]
                starts.append(len(steps))
                values.append(float(trees.value[node]))
                continue
            missing, low, high, share = way.get(feature, (True, whole[1], whole[2], 1.0))
            at, to_left = trees.threshold[node], bool(trees.missing_left[node])
            for child, goes, bounds in (
                (int(trees.left[node]), to_left, (low, min(high, at))),
                (int(trees.right[node]), not to_left, (max(low, at), high)),
            ):
                ways.append(
                    (child, way | {feature: (missing and goes, *bounds, share * cover[child] / cover[node])})
                )
    return np.array(starts, np.int64), np.array(steps, STEP), np.array(values)


@inlined
def _rows_of(width):  # type: ignore[no-untyped-def]
    return max(8, min(_BLOCK, _BLOCK_VALUES // max(width, 1)))


@inlined
def _fill(block, scaled, first, count):  # type: ignore[no-untyped-def]
    """Copy rows into a block, each value twice, a missing one as −∞ and as +∞."""
    for row in range(count):
        for feature in range(scaled.shape[1]):
            value = scaled[first + row, feature]
            is_known = value == value
            block[row, 2 * feature] = value if is_known else -np.inf
            block[row, 2 * feature + 1] = value if is_known else np.inf


@inlined
def _go_down(scaled, down, contributions, explained):  # type: ignore[no-untyped-def]
    """Return the sums; if ``explained``, a constant of each kernel, fill in the contributions as well."""
    roots, depths, feature, threshold, following, change, value = down
    count, width = scaled.shape
    sums, size = np.zeros(count, np.float32), _rows_of(width)
    block, nodes = np.empty((size, 2 * width), np.float32), np.empty(size, np.uint32)
    found = np.empty((size if explained else 0, 2 * width))
    for first in range(0, count, size):
        rows = min(size, count - first)
        _fill(block, scaled, first, rows)
        found[:rows] = 0.0
        for tree in range(len(roots)):
            nodes[:rows] = roots[tree]
            for _ in range(depths[tree]):
                moved = np.uint32(0)
                for row in range(rows):
                    node = nodes[row]
                    column = feature[node]
                    way = np.uint32(2) * node + np.uint32(block[row, column] > threshold[node])
                    if explained:
                        found[row, column] += change[way]
                    moved |= following[way] ^ node
                    nodes[row] = following[way]
                if moved == 0:
                    break
            for row in range(rows):
                sums[first + row] += value[nodes[row]]
        for row in range(rows if explained else 0):
            for column in range(width):
                contributions[first + row, column] = found[row, 2 * column] + found[row, 2 * column + 1]
    return sums


@kernel
def _walk(scaled, down):  # type: ignore[no-untyped-def]
    contributions = np.empty(scaled.shape)
    return contributions, _go_down(scaled, down, contributions, True)


@kernel
def _sum(scaled, down):  # type: ignore[no-untyped-def]
    return _go_down(scaled, down, np.empty((0, 0)), False)


@kernel
def _exact(scaled, leaves, steps, values, strict):  # type: ignore[no-untyped-def]
    contributions = np.zeros(scaled.shape)
    longest = 0
    for leaf in range(len(values)):
        longest = max(longest, leaves[leaf + 1] - leaves[leaf])
    weights, known = np.empty(longest + 1), np.empty(longest)
    for row in range(len(scaled)):
        for leaf in range(len(values)):
            first, length = leaves[leaf], leaves[leaf + 1] - leaves[leaf]
            for index in range(length):
                step = steps[first + index]
                known[index] = _arrives(scaled[row, step.feature], step, strict)
            _extend(weights, steps, first, length, known)
            for index in range(length):
                step = steps[first + index]
                total = _without(weights, length, step.share, known[index])
                contributions[row, step.feature] += total * (known[index] - step.share) * values[leaf]
    return contributions


@kernel(inline="always")
def _arrives(value, step, strict):  # type: ignore[no-untyped-def]
    """Whether a value of the feature satisfies all its splits on the path to the leaf (1.0 or 0.0)."""
    if np.isnan(value):
        return 1.0 if step.missing else 0.0
    above = value >= step.low if strict else value > step.low
    below = value < step.high if strict else value <= step.high
    return 1.0 if (above or step.low == -np.inf) and (below or step.high == np.inf) else 0.0


@kernel
def _extend(weights, steps, first, length, known):  # type: ignore[no-untyped-def]
    """Weigh the subsets of the path's features by size, adding one feature after the other."""
    weights[0] = 1.0
    for size in range(1, length + 1):
        share, one = steps[first + size - 1].share, known[size - 1]
        weights[size] = 0.0
        for index in range(size - 1, -1, -1):
            weights[index + 1] += one * weights[index] * (index + 1) / (size + 1)
            weights[index] = share * weights[index] * (size - index) / (size + 1)


@kernel
def _without(weights, length, share, one):  # type: ignore[no-untyped-def]
    """Sum the weights of the subsets as if a feature had not been added."""
    total = 0.0
    if one == 0.0:
        for index in range(length - 1, -1, -1):
            total += weights[index] * (length + 1) / (share * (length - index))
        return total
    following = weights[length]
    for index in range(length - 1, -1, -1):
        removed = following * (length + 1) / (index + 1)
        total += removed
        following = weights[index] - removed * share * (length - index) / (length + 1)
    return total
