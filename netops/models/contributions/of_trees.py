"""Contribution of each feature to the log-odds of a tree ensemble: a fast and an exact method, compiled.

Both are additive: expected value + sum of the contributions = log-odds of the risk. The expected value of a node is
the mean of its leaves, weighted by their cover, the weight of the training rows that reach them.

Fast: going down a tree, each split gives the change of the expected value to its feature (Saabas 2014). Features
near the root get too little. Exact: Shapley values of the game in which an unknown feature sends a sample down both
ways by their covers (path-dependent TreeSHAP, Lundberg et al. 2020), computed leaf by leaf.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.kernels import kernel
from netops.models.trees import Trees

Scaled = npt.NDArray[np.float32]
Contributions = npt.NDArray[np.float64]

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
#: Rows that go down a tree together, so that the tree stays in the nearest cache.
_BLOCK = 64


@dataclass(frozen=True)
class TreeContributions:
    """A tree ensemble prepared for explanations.

    Attributes
    ----------
    expected : float
        Log-odds when nothing is known.
    """

    expected: float
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
        return cls(base, trees.strict, Descent.of(trees, expected), *_paths(trees, cover))

    def fast(self, scaled: Scaled) -> Contributions:
        """Return the path contributions of n × F scaled features: n × F log-odds."""
        down = self.down
        return _fast(scaled, down.roots, down.feature, down.right, down.threshold, down.missing_left, down.change)

    def exact(self, scaled: Scaled) -> Contributions:
        """Return the Shapley values of n × F scaled features: n × F log-odds."""
        return _exact(scaled, self.leaves, self.steps, self.values, self.strict)


@dataclass(frozen=True)
class Descent:
    """The nodes in the order in which one goes down: the left child follows its parent.

    Attributes
    ----------
    right : int32 array
        How far behind the left child the right one is.
    change : float64 array
        By how much the expected value differs from that of the parent.
    """

    roots: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float32]
    missing_left: npt.NDArray[np.bool_]
    change: npt.NDArray[np.float64]

    @classmethod
    def of(cls, trees: Trees, expected: npt.NDArray[np.float64]) -> "Descent":
        """Put the nodes in this order."""
        order = np.empty(len(expected), np.int64)
        parent = np.arange(len(expected))
        for side in (trees.left, trees.right):
            parent[side[side >= 0]] = np.flatnonzero(side >= 0)
        count = 0
        for root in trees.starts[:-1]:
            ways = [int(root)]
            while ways:
                node = ways.pop()
                order[count], count = node, count + 1
                if trees.feature[node] >= 0:
                    ways += [int(trees.right[node]), int(trees.left[node])]
        order = order[:count]  # unreachable nodes are skipped
        index = np.zeros(len(expected), np.int64)
        index[order] = np.arange(count)
        splits = trees.feature[order] >= 0
        right = np.where(splits, index[trees.right[order]] - np.arange(count) - 1, 0)
        # All comparisons are "at or below" here: for float32, below t is at or below its predecessor.
        below = np.nextafter(trees.threshold, np.float32(-np.inf)) if trees.strict else trees.threshold
        return cls(
            index[trees.starts[:-1]],
            trees.feature[order],
            right.astype(np.int32),
            below[order],
            trees.missing_left[order],
            (expected - expected[parent])[order],
        )


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


@kernel
def _fast(scaled, roots, features, right, threshold, missing_left, change):  # type: ignore[no-untyped-def]
    count = len(scaled)
    contributions = np.zeros(scaled.shape)
    for first in range(0, count, _BLOCK):
        last = min(first + _BLOCK, count)
        for root in roots:
            for row in range(first, last):
                index = root
                feature = features[index]
                while feature >= 0:
                    value = scaled[row, feature]
                    left = (value <= threshold[index]) | ((value != value) & missing_left[index])
                    # Branch-free: a processor mispredicts every other split.
                    index += 1 + (1 - np.int64(left)) * right[index]
                    contributions[row, feature] += change[index]
                    feature = features[index]
    return contributions


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
