"""Permutation importance: the loss of a model when one feature is shuffled (Breiman 2001, section 10).

All families are measured the same way, so that models can be compared. Correlated features share
their importance: the model uses the other one. Shuffling all features of a metric together reveals this.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from netops.alerting.outcomes import EvaluationSplit
from netops.alerting.sequences import Floats, Integers
from netops.evaluation.ranking import Ranking
from netops.models.onnx_file import Scorer
from netops.telemetry.dataset import Dataset
from netops.training.examples import Examples
from netops.training.rows import gather

#: Rows scored in all, over all shuffles; and the minimum and maximum of rows of the sample.
_BUDGET, _LEAST, _MOST = 120_000, 400, 4_000
#: Devices whose rows are read.
_DEVICES = 16


@dataclass(frozen=True)
class Importance:
    """How much average precision a model loses on a sample of the validation split.

    Attributes
    ----------
    features, metrics : dict
        Name → loss when its values are shuffled between samples, the greatest first. A metric is shuffled with all
        its features at once.
    average_precision : float
        Of the original sample, weighted to approximate that of the split.
    samples, positives, devices : int
        The sample it was measured on.
    """

    features: dict[str, float]
    metrics: dict[str, float]
    average_precision: float
    samples: int
    positives: int
    devices: int


def importance_of(
    examples: Examples, model: Path, split: EvaluationSplit, metrics: tuple[str, ...], seed: int = 0
) -> Importance | None:
    """Measure the importance of features and metrics.

    Parameters
    ----------
    examples : Examples
    model : Path
        A model folder.
    part : Part
        The validation split.
    metrics : tuple of str
        Names of the metrics; a feature belongs to the one it is named after.
    seed : int
        Of the sample and the shuffles.

    Returns
    -------
    Importance or None
        None if the sample contains only one class.
    """
    scorer = Scorer(model)
    names = scorer.card.features
    groups = _groups(names, metrics)
    generator = np.random.default_rng(seed)
    room = int(np.clip(_BUDGET // (len(names) + len(groups) + 1), _LEAST, _MOST))
    chosen, weights = _sample(split, room, generator)
    labels = split.labels[chosen]
    if not 0 < (labels == 1).sum() < len(labels):
        return None
    rows = np.array(examples.array("validation"))[chosen]
    features = gather(Dataset.open(Path(examples.sources["validation"])), names, rows)
    measured = _Measured(scorer, features, labels, weights)
    return Importance(
        _falling({name: measured.loss([index], generator) for index, name in enumerate(names)}),
        _falling({metric: measured.loss(indices, generator) for metric, indices in groups.items()}),
        measured.whole,
        len(chosen),
        int((labels == 1).sum()),
        len(np.unique(split.sequences.device_of_row[chosen])),
    )


class _Measured:
    """A sample, and how well the model ranks it."""

    def __init__(self, scorer: Scorer, features: Floats, labels: npt.NDArray[np.int8], weights: Floats) -> None:
        self.scorer, self.features, self.labels, self.weights = scorer, features, labels, weights
        self.whole = self._average_precision(features)

    def loss(self, indices: list[int], generator: np.random.Generator) -> float:
        """Take some columns, together, from other samples, with the frequencies of the split."""
        shuffled = self.features.copy()
        donors = generator.choice(len(shuffled), len(shuffled), p=self.weights / self.weights.sum())
        shuffled[:, indices] = self.features[donors[:, None], indices]
        return self.whole - self._average_precision(shuffled)

    def _average_precision(self, features: Floats) -> float:
        units = np.arange(len(features))
        return Ranking.of(self.scorer.score(features), self.labels, units).figures(self.weights)[0]


def _sample(split: EvaluationSplit, room: int, generator: np.random.Generator) -> tuple[Integers, Floats]:
    """Sample rows of a few failing devices, half of them positive; weights restore the base rate of the split."""
    device = split.sequences.device_of_row
    failing = np.unique(device[split.labels == 1])
    devices = generator.choice(failing, min(_DEVICES, len(failing)), replace=False)
    of_devices = np.isin(device, devices)
    drawn, weights = [], []
    for label in (0, 1):
        rows = np.flatnonzero(of_devices & (split.labels == label))
        taken = generator.choice(rows, min(room // 2, len(rows)), replace=False)
        drawn.append(taken)
        weights.append(np.full(len(taken), (split.labels == label).sum() / max(1, len(taken))))
    rows, weight = np.concatenate(drawn), np.concatenate(weights)
    order = np.argsort(rows)
    return rows[order].astype(np.int64), weight[order]


def _groups(names: tuple[str, ...], metrics: tuple[str, ...]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        if owner := metric_of(name, metrics):
            groups.setdefault(owner, []).append(index)
    return groups


def metric_of(feature: str, metrics: tuple[str, ...]) -> str:
    """Name the metric of a feature: the longest prefix of its name; "" if none."""
    owners = [metric for metric in metrics if feature == metric or feature.startswith(f"{metric}_")]
    return max(owners, key=len, default="")


def _falling(losses: dict[str, float]) -> dict[str, float]:
    return dict(sorted(losses.items(), key=lambda item: -item[1]))
