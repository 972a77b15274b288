"""A features dataset with labels: samples, incidents, attributes of the devices, and the split of each sample."""

import threading
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from netops.alerting.outcomes import EvaluationSplit
from netops.alerting.sequences import Flags, Incidents, Sequences
from netops.errors import FewLabelsError
from netops.telemetry.dataset import Dataset, rows_of
from netops.telemetry.schema import DEVICE, IS_ERROR, TIMESTAMP
from netops.training.feedback_labels import Verdicts
from netops.training.labels import NO_LABEL, label_rows, label_starts, require_history, require_labels
from netops.training.splits import (
    FRACTIONS,
    TRAIN,
    Split,
    cross_fitted,
    split,
    whole_test,
)
from netops.training.unlabelled_splits import unlabelled_split, whole_unlabelled_test

#: Fractions of training and validation if the test telemetry is separate.
TWO_FRACTIONS = (0.75, 0.25)


@dataclass(frozen=True)
class Labelled:
    """One features dataset, its labels and its split.

    Attributes
    ----------
    dataset : Dataset
    sequences : Sequences
        Every sample.
    labels : int8 array, rows
        1, 0, or -1 for none, by the incidents.
    incidents : Incidents
    verdicts : Verdicts
        Operators' verdicts on alerts.
    attributes : dict
        Attribute → its value for each device.
    horizon : int
        Nanoseconds.
    split : Split
    """

    dataset: Dataset
    sequences: Sequences
    labels: npt.NDArray[np.int8]
    incidents: Incidents
    verdicts: Verdicts
    attributes: dict[str, list[str]]
    horizon: int
    split: Split

    def evaluation_split(self, split: int) -> EvaluationSplit:
        """Select a split; labels that are only from verdicts are used in training and excluded elsewhere."""
        keep, facts = self.split.rows(split), (self.incidents, self.horizon, self.attributes)
        if split == TRAIN:
            return EvaluationSplit.where(keep, self.sequences, self.training_labels, *facts)
        labels = np.where(self.left_out, np.int8(-1), self.labels) if self.left_out.any() else self.labels
        return EvaluationSplit.where(keep, self.sequences, labels, *facts, self.left_out)

    @cached_property
    def training_labels(self) -> npt.NDArray[np.int8]:
        """The labels including operators' verdicts on alerts."""
        return self.verdicts.teach(self.sequences, self.labels, self.incidents.inside(self.sequences))

    @cached_property
    def left_out(self) -> Flags:
        """The rows excluded from metrics, because their labels are only from verdicts."""
        return self.verdicts.left_out(self.sequences)

    def fold_rows(self, fold: int) -> Flags:
        """Mark the rows that the model of a fold is fitted on."""
        assert self.split.folds is not None
        return self.split.folds.fitted(fold, self.sequences.timestamps, self.horizon)

    def scored(self, split: int) -> Flags:
        """Mark, among the rows of a split, those that are scored: the healthy ones."""
        keep = self.split.rows(split)
        return ~self.incidents.inside(self.sequences)[keep]


def label(dataset: Dataset, horizon: int, kind: str, seed: int, cross_fit_below: int = 0) -> list[Labelled]:
    """Label a features dataset and split it.

    Parameters
    ----------
    dataset : Dataset
        Separate test telemetry, if any, is in its folder ``_test``.
    horizon : int
        Nanoseconds.
    kind : str
        ``time`` or ``device``.
    seed : int
        Of a split by device.
    cross_fit_below : int
        Training and validation are cross-fitted if together they hold fewer incidents.

    Returns
    -------
    list of Labelled
        One, or two if the test telemetry is separate.

    Raises
    ------
    FewLabelsError
        If the labels do not suffice, with any split.
    NetopsError
        If no such split is informative.
    """
    sequences, labels, incidents, attributes = observe(dataset, horizon)
    require_labels(sequences, labels, horizon)
    fractions = TWO_FRACTIONS if dataset.test else FRACTIONS
    cut = split(kind, sequences, labels, incidents, horizon, fractions=fractions, seed=seed)
    cut = cross_fitted(cut, sequences, labels, incidents, horizon, seed=seed, below=cross_fit_below)
    found = [_labelled(dataset, sequences, labels, incidents, attributes, horizon, cut)]
    if dataset.test:
        sequences, labels, incidents, attributes = observe(dataset.test, horizon)
        cut = whole_test(sequences, labels, incidents, horizon)
        found.append(_labelled(dataset.test, sequences, labels, incidents, attributes, horizon, cut))
    return found


def _labelled(
    dataset: Dataset,
    sequences: Sequences,
    labels: npt.NDArray[np.int8],
    incidents: Incidents,
    attributes: dict[str, list[str]],
    horizon: int,
    cut: Split,
) -> Labelled:
    verdicts = Verdicts.from_table(dataset.verdicts(), sequences.devices, incidents, horizon)
    return Labelled(dataset, sequences, labels, incidents, verdicts, attributes, horizon, cut)


def require_learnable(dataset: Dataset, horizon: int, kind: str, seed: int) -> None:
    """Raise an error for telemetry that nothing can be learned from, with labels or without.

    Raises
    ------
    NetopsError
        As :func:`label` and :func:`without_labels`.
    """
    try:
        label(dataset, horizon, kind, seed)
    except FewLabelsError:
        without_labels(dataset, horizon, kind, seed)


def without_labels(dataset: Dataset, horizon: int, kind: str, seed: int) -> list[Labelled]:
    """Split a features dataset as if nothing were known of it but its samples.

    Parameters
    ----------
    dataset, horizon, kind, seed
        As for :func:`label`. Incidents and verdicts that the dataset has are not read.

    Returns
    -------
    list of Labelled
        As for :func:`label`: no sample has a label, no incident is known.
    """
    found: list[Labelled] = []
    for telemetry in (dataset, dataset.test) if dataset.test else (dataset,):
        sequences, attributes = _samples(telemetry)
        if found:
            cut = whole_unlabelled_test(sequences)
        else:
            require_history(sequences, horizon)
            fractions = TWO_FRACTIONS if dataset.test else FRACTIONS
            cut = unlabelled_split(kind, sequences, fractions=fractions, seed=seed)
        labels = np.full(len(sequences), NO_LABEL, np.int8)
        incidents = Incidents.from_table(dataset.incidents().slice(0, 0), sequences.devices)
        verdicts = Verdicts.from_table(dataset.verdicts().slice(0, 0), sequences.devices, incidents, horizon)
        found.append(Labelled(telemetry, sequences, labels, incidents, verdicts, attributes, horizon, cut))
    return found


_lock = threading.Lock()
_latest: dict[str, list[Labelled]] = {}


def label_once(
    dataset: Dataset, horizon: int, kind: str, seed: int, cross_fit_below: int = 0, supervised: bool = True
) -> list[Labelled]:
    """Label with a cache: the threads of a run request the same dataset repeatedly."""
    made = (dataset.path / "_meta.json").stat().st_mtime_ns
    key = repr((dataset.path.resolve(), made, horizon, kind, seed, cross_fit_below, supervised))
    with _lock:
        if key not in _latest:
            found = (
                label(dataset, horizon, kind, seed, cross_fit_below)
                if supervised
                else without_labels(dataset, horizon, kind, seed)
            )
            _latest.clear()
            _latest[key] = found
        return _latest[key]


def observe(
    dataset: Dataset, horizon: int
) -> tuple[Sequences, npt.NDArray[np.int8], Incidents, dict[str, list[str]]]:
    """Read the observations of telemetry or feature vectors: samples, labels, incidents, attributes."""
    errors: list[Flags] = []
    sequences, attributes = _samples(dataset, errors)
    is_error = np.concatenate(errors) if errors else np.zeros(0, bool)
    labels = label_rows(sequences.offsets, sequences.timestamps, is_error, horizon)
    incidents = Incidents.from_table(dataset.incidents(), sequences.devices)
    return sequences, label_starts(sequences, labels, incidents, horizon), incidents, attributes


def _samples(dataset: Dataset, errors: list[Flags] | None = None) -> tuple[Sequences, dict[str, list[str]]]:
    """Read samples and attributes, and append the errors of each table where they are asked for."""
    attributes: dict[str, list[str]] = {name: [] for name in dataset.meta.attributes}
    rows = []
    for table in dataset.tables([TIMESTAMP, DEVICE, *([] if errors is None else [IS_ERROR]), *attributes]):
        rows.append(rows_of(table))
        if errors is not None:
            errors.append(_flags(table))
        firsts = pa.array(rows[-1].offsets[:-1])
        for name, values in attributes.items():
            values += [str(v) if v is not None else "" for v in table.column(name).take(firsts).to_pylist()]
    return Sequences.of(rows), attributes


def _flags(table: pa.Table) -> Flags:
    if IS_ERROR not in table.column_names:
        return np.zeros(table.num_rows, bool)
    return table.column(IS_ERROR).fill_null(False).to_numpy(zero_copy_only=False).astype(bool)
