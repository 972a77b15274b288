"""A features dataset with labels: samples, incidents, attributes of the devices, and the split of each sample."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from netops.alerting.outcomes import EvaluationSplit
from netops.alerting.sequences import Flags, Incidents, Sequences
from netops.compute.cluster import Cluster
from netops.errors import FewLabelsError
from netops.telemetry.dataset import Dataset, Rows, rows_of
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


def label(
    dataset: Dataset,
    horizon: int,
    kind: str,
    seed: int,
    cross_fit_below: int = 0,
    cluster: Cluster | None = None,
) -> list[Labelled]:
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
    cluster : Cluster, optional
        Whose workers read and label the samples, one file each.

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
    sequences, labels, incidents, attributes = observe(dataset, horizon, cluster)
    require_labels(sequences, labels, horizon)
    fractions = TWO_FRACTIONS if dataset.test else FRACTIONS
    cut = split(kind, sequences, labels, incidents, horizon, fractions=fractions, seed=seed)
    cut = cross_fitted(cut, sequences, labels, incidents, horizon, seed=seed, below=cross_fit_below)
    found = [_labelled(dataset, sequences, labels, incidents, attributes, horizon, cut)]
    if dataset.test:
        sequences, labels, incidents, attributes = observe(dataset.test, horizon, cluster)
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


def require_learnable(dataset: Dataset, horizon: int, kind: str, seed: int, cluster: Cluster | None = None) -> None:
    """Raise an error for telemetry that nothing can be learned from, with labels or without.

    Raises
    ------
    NetopsError
        As :func:`label` and :func:`without_labels`.
    """
    try:
        label(dataset, horizon, kind, seed, cluster=cluster)
    except FewLabelsError:
        without_labels(dataset, horizon, kind, seed, cluster)


def without_labels(
    dataset: Dataset, horizon: int, kind: str, seed: int, cluster: Cluster | None = None
) -> list[Labelled]:
    """Split a features dataset as if nothing were known of it but its samples.

    Parameters
    ----------
    dataset, horizon, kind, seed, cluster
        As for :func:`label`. Incidents and verdicts that the dataset has are not read.

    Returns
    -------
    list of Labelled
        As for :func:`label`: no sample has a label, no incident is known.
    """
    found: list[Labelled] = []
    for telemetry in (dataset, dataset.test) if dataset.test else (dataset,):
        sequences, _, attributes = _joined(telemetry, horizon, False, cluster)
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
    dataset: Dataset,
    horizon: int,
    kind: str,
    seed: int,
    cross_fit_below: int = 0,
    supervised: bool = True,
    cluster: Cluster | None = None,
) -> list[Labelled]:
    """Label with a cache: the threads of a run request the same dataset repeatedly."""
    made = (dataset.path / "_meta.json").stat().st_mtime_ns
    key = repr((dataset.path.resolve(), made, horizon, kind, seed, cross_fit_below, supervised))
    with _lock:
        if key not in _latest:
            found = (
                label(dataset, horizon, kind, seed, cross_fit_below, cluster)
                if supervised
                else without_labels(dataset, horizon, kind, seed, cluster)
            )
            _latest.clear()
            _latest[key] = found
        return _latest[key]


@dataclass(frozen=True)
class _File:
    """The samples of a file: their keys, labels by ``is_error`` (empty if not asked for), values of attributes."""

    rows: Rows
    labels: npt.NDArray[np.int8]
    attributes: dict[str, list[str]]


def observe(
    dataset: Dataset, horizon: int, cluster: Cluster | None = None
) -> tuple[Sequences, npt.NDArray[np.int8], Incidents, dict[str, list[str]]]:
    """Read the observations of telemetry or feature vectors: samples, labels, incidents, attributes."""
    sequences, labels, attributes = _joined(dataset, horizon, True, cluster)
    incidents = Incidents.from_table(dataset.incidents(), sequences.devices)
    return sequences, label_starts(sequences, labels, incidents, horizon), incidents, attributes


def _joined(
    dataset: Dataset, horizon: int, with_labels: bool, cluster: Cluster | None
) -> tuple[Sequences, npt.NDArray[np.int8], dict[str, list[str]]]:
    """Join what the files of a dataset hold."""
    names = dataset.meta.attributes
    jobs = [(str(part.resolve()), names, horizon, with_labels) for part in dataset.parts]
    found: Iterable[_File] = (
        (_read_file(*job) for job in jobs) if cluster is None else cluster.results(_read_file, jobs)
    )
    files = list(found)
    attributes = {name: [value for file in files for value in file.attributes[name]] for name in names}
    labels = np.concatenate([file.labels for file in files]) if files else np.zeros(0, np.int8)
    return Sequences.of([file.rows for file in files]), labels, attributes


def _read_file(path: str, attributes: tuple[str, ...], horizon: int, with_labels: bool) -> _File:
    """Read and label the samples of a file; a device is in one file only."""
    wanted = [TIMESTAMP, DEVICE, *([IS_ERROR] if with_labels else []), *attributes]
    known = set(pq.read_schema(path).names)
    table = pq.read_table(Path(path), columns=[name for name in wanted if name in known])
    rows = rows_of(table)
    firsts = pa.array(rows.offsets[:-1])
    labels = np.zeros(0, np.int8)
    if with_labels:
        labels = label_rows(rows.offsets, rows.timestamps, _flags(table), horizon)
    values = {name: table.column(name).take(firsts).to_pylist() for name in attributes}
    texts = {name: [str(v) if v is not None else "" for v in some] for name, some in values.items()}
    return _File(rows, labels, texts)


def _flags(table: pa.Table) -> Flags:
    if IS_ERROR not in table.column_names:
        return np.zeros(table.num_rows, bool)
    return table.column(IS_ERROR).fill_null(False).to_numpy(zero_copy_only=False).astype(bool)
