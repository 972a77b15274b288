"""Examples: data for fitting and evaluation of all families, created once and shared as plain arrays.

The folder is read by the processes that fit: numpy arrays that are mapped, not copied, and one JSON file. Nothing
in it is pickled.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from netops.alerting.outcomes import EvaluationSplit
from netops.alerting.sequences import Flags
from netops.compute.cluster import Cluster
from netops.errors import FewLabelsError, NetopsError
from netops.files import read_json, write_json
from netops.models.background import background_of
from netops.progress import Progress, silent
from netops.telemetry.dataset import Dataset
from netops.training.columns import columns_of, feature_names
from netops.training.feature_selection import SAMPLE, Sample, select
from netops.training.label_sources import summarize_labels
from netops.training.labelled import Labelled, label_once
from netops.training.matrix import NAMES, fold_folder, keep_columns, read_pieces, write_matrix
from netops.training.nearness import nearness
from netops.training.remote_rows import gather_on, write_matrix_on
from netops.training.rows import gather
from netops.training.settings import TrainingSettings
from netops.training.splits import TEST, TRAIN, VALIDATION
from netops.training.thinning import set_aside, thin

FILE = "examples.json"
MATRIX = "features.npy"
#: Why telemetry without any incident has no labels.
UNRECORDED = "no incident is recorded; give them by --incidents or an is_error column"
#: Changes with the files of the folder, so that examples of before are made again.
_FORMAT = 5
#: Parts that are scored, and what their files are called.
SCORED_SPLITS = {"validation": VALIDATION, "test": TEST}


@dataclass(frozen=True)
class TrainingRows:
    """The rows of one fit, on disk.

    Attributes
    ----------
    folder : Path
    names : tuple of str
        The columns of ``features``.
    """

    folder: Path
    names: tuple[str, ...]

    def array(self, name: str) -> npt.NDArray[Any]:
        """Map ``features``, ``labels``, ``weights``, ``early`` or ``hard``."""
        return np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)


@dataclass(frozen=True)
class Examples:
    """The examples of a network, on disk.

    Attributes
    ----------
    folder : Path
        ``features.npy`` (float64, n × F), ``labels.npy``, ``weights.npy``, ``early.npy`` and ``hard.npy`` (healthy
        ones of dismissed alerts) and ``nearness.npy`` (by which fits multiply the weights) of the training rows;
        ``validation.npy`` and ``test.npy`` (the rows to be scored), ``validation-labels.npy`` (to calibrate by).
    key : str
        Hash of their inputs; the same key means the same examples.
    names : tuple of str
        The features that models take.
    horizon : int
        Nanoseconds.
    info : dict
        The entries of the model card: spec, metrics, split, data, background.
    sources : dict
        Split → the folder of the features dataset that contains it.
    settings : dict
        Those of the split.
    folds : int
        Where training and validation are cross-fitted: how many folds. The training rows of each are in
        :func:`fold_folder`, the fold of each validation row in ``folds.npy``.
    supervised : bool
        Whether the labels suffice to train on. Otherwise the rows are a sample of the training split, no row has a
        label, and neither split nor rows depend on the labels that the telemetry has.
    why : str
        Why they do not, else empty.
    """

    folder: Path
    key: str
    names: tuple[str, ...]
    horizon: int
    info: dict[str, Any]
    sources: dict[str, str]
    settings: dict[str, Any] = field(default_factory=dict)
    folds: int = 0
    supervised: bool = True
    why: str = ""

    @classmethod
    def open(cls, folder: Path) -> "Examples":
        """Open examples that are finished.

        Raises
        ------
        NetopsError
            If the folder contains none.
        """
        if not (folder / FILE).is_file():
            raise NetopsError(f"{folder}: no training examples there; prepare them again")
        raw = read_json(folder / FILE)
        return cls(**raw | {"folder": folder, "names": tuple(raw["names"])})

    def array(self, name: str) -> npt.NDArray[Any]:
        """Map one of the arrays."""
        return np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)

    def rows_of_fit(self, fold: int | None = None) -> TrainingRows:
        """Return the rows that the model, or that of a fold, is fitted on."""
        if fold is None:
            return TrainingRows(self.folder, self.names)
        folder = fold_folder(self.folder, fold)
        return TrainingRows(folder, tuple(read_json(folder / NAMES)))

    @cached_property
    def labelled(self) -> list[Labelled]:
        """The labelled telemetry: the main dataset, and the separate test dataset if there is one."""
        dataset = Dataset.open(Path(self.sources["validation"]))
        settings = self.settings
        below = settings.get("cross_fit_below", 0)
        return label_once(
            dataset, self.horizon, settings["split"], settings["seed"], below, supervised=self.supervised
        )

    def require_labels(self) -> None:
        """Raise an error if there are too few labels to train a family.

        Raises
        ------
        FewLabelsError
        """
        if not self.supervised:
            raise FewLabelsError(self.why)

    def evaluation_split(self, name: str) -> EvaluationSplit:
        """Take ``validation`` or ``test`` for threshold and evaluation; risks are in the order of its rows."""
        return self.labelled[-1 if name == "test" else 0].evaluation_split(SCORED_SPLITS[name])


def prepare_examples(
    dataset: Dataset,
    settings: TrainingSettings,
    work: Path,
    progress: Progress = silent,
    cluster: Cluster | None = None,
) -> Examples:
    """Write the training rows and the indices of the rows to score.

    Training rows come only from the training split: every positive, healthy rows thinned and weighted; no row
    inside an incident, none without a label. If the labels are too few to train on, the examples are without labels
    (``supervised`` is False). Called again for the same data and settings, also by several threads or processes at
    once, the existing folder is returned.

    Parameters
    ----------
    dataset : Dataset
        Feature vectors.
    settings : TrainingSettings
    work : Path
        Folder to keep the examples in.
    progress : Progress
    cluster : Cluster, optional
        Whose workers read, label and thin the samples, one file each; they must have access to both folders. The
        examples are the same.

    Raises
    ------
    NetopsError
        If there are no training samples, or the requested split is not possible, but another one is.
    """
    key = _key(dataset, settings)
    folder = work / f"examples-{key}"
    with _alone(work / f".examples-{key}.lock"):
        if (folder / FILE).is_file():
            return Examples.open(folder)
        return _Making(dataset, settings, folder, key, progress, cluster).make()


def _key(dataset: Dataset, settings: TrainingSettings) -> str:
    relevant = asdict(settings) | dict.fromkeys(
        ("families", "vote", "threads", "trials", "budget", "memory_values")
    )
    files = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for d in _datasets(dataset) for p in d.parts]
    whole = json.dumps([_FORMAT, str(dataset.path.resolve()), asdict(dataset.meta), files, relevant], default=str)
    return hashlib.blake2b(whole.encode(), digest_size=8).hexdigest()


def _datasets(dataset: Dataset) -> list[Dataset]:
    return [dataset, dataset.test] if dataset.test else [dataset]


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _Making:
    """One making of examples."""

    def __init__(
        self,
        dataset: Dataset,
        settings: TrainingSettings,
        folder: Path,
        key: str,
        progress: Progress,
        cluster: Cluster | None,
    ) -> None:
        self.dataset, self.settings, self.folder, self.key = dataset, settings, folder, key
        self.draft = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        self.progress, self.cluster = progress, cluster
        self.horizon = settings.horizon_for(dataset.meta.interval_seconds)

    def make(self) -> Examples:
        """Write the examples to a draft folder that is renamed when it is complete."""
        shutil.rmtree(self.draft, ignore_errors=True)
        self.draft.mkdir(parents=True)
        try:
            try:
                examples = self._write()
            except FewLabelsError as error:
                examples = self._write_unlabelled(str(error) if self.dataset.meta.incidents else UNRECORDED)
            self.draft.replace(self.folder)
            return Examples.open(examples.folder)
        finally:
            shutil.rmtree(self.draft, ignore_errors=True)

    def _write_unlabelled(self, why: str) -> Examples:
        """Write examples without labels: the rows describe the training split, for the model card and for drift."""
        shutil.rmtree(self.draft)
        self.draft.mkdir()
        settings = self.settings
        labelled = label_once(
            self.dataset, self.horizon, settings.split, settings.seed, supervised=False, cluster=self.cluster
        )
        self._write_scored(labelled)
        rows = np.flatnonzero(labelled[0].split.rows(TRAIN))
        names = tuple(name for pair in columns_of(self.dataset).items() for name in pair if name)
        room = max(1_000, min(settings.max_rows, settings.max_values // max(1, len(names))))
        selected, weights = thin(rows, np.zeros(len(rows), bool), room, settings.seed)
        names = self._write_matrix(self.draft, names, selected)
        arrays: dict[str, npt.NDArray[Any]] = {"labels": np.zeros(len(selected), np.float32), "weights": weights}
        for name, values in arrays.items():
            np.save(self.draft / f"{name}.npy", values, allow_pickle=False)
        info = self._info(labelled, arrays, names)
        info["data"]["labels"]["unused"] = why
        return self._examples(names, info, labelled, why)

    def _write(self) -> Examples:
        self.progress(0, 3, "label samples")
        settings = self.settings
        labelled = label_once(
            self.dataset,
            self.horizon,
            settings.split,
            settings.seed,
            settings.cross_fit_below,
            cluster=self.cluster,
        )
        self._write_scored(labelled)
        self.progress(1, 3, "choose training rows")
        main, folds = labelled[0], labelled[0].split.folds
        # The model of all folds stops where those of the folds did; it needs all incidents to learn from.
        names, arrays = self._write_fit(
            self.draft, main, main.split.rows(TRAIN), 0 if folds else settings.early_share
        )
        for fold in range(len(folds) if folds else 0):
            folder = fold_folder(self.draft, fold)
            folder.mkdir()
            taken, _ = self._write_fit(folder, main, main.fold_rows(fold), settings.early_share)
            write_json(folder / NAMES, taken)
        self.progress(2, 3, "write examples")
        info = self._info(labelled, arrays, names)
        examples = self._examples(names, info, labelled)
        self.progress(3, 3, "write examples")
        return examples

    def _write_fit(
        self, folder: Path, main: Labelled, chosen: Flags, early_share: float
    ) -> tuple[tuple[str, ...], dict[str, npt.NDArray[Any]]]:
        """Write what one fit needs: features, labels, weights, and which rows stop it early or are hard."""
        training_labels = main.training_labels
        rows = np.flatnonzero(chosen & (training_labels >= 0))
        positive = training_labels[rows] == 1
        if not 0 < positive.sum() < len(rows):
            raise FewLabelsError("one class only in the training split; give telemetry with more incidents")
        hard = main.verdicts.dismissed(main.sequences)
        names, selected, weights = self._read(folder, rows, positive, hard[rows])
        labels = training_labels[selected] == 1
        early = set_aside(main.sequences, main.incidents, selected, labels, early_share, self.settings.seed)
        near = np.ones(len(selected))
        if self.settings.nearness:
            near = nearness(main.sequences, main.incidents, selected, labels, self.horizon)
        arrays = {"labels": labels.astype(np.float32), "weights": weights, "early": early}
        for name, values in (arrays | {"hard": hard[selected] & ~labels, "nearness": near}).items():
            np.save(folder / f"{name}.npy", values, allow_pickle=False)
        return names, arrays

    def _read(
        self,
        folder: Path,
        rows: npt.NDArray[np.int64],
        positive: npt.NDArray[np.bool_],
        hard: npt.NDArray[np.bool_],
    ) -> tuple[tuple[str, ...], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Choose features and rows, and write the matrix of them."""
        settings = self.settings
        names = feature_names(self.dataset)
        if len(names) > settings.max_features:
            names = self._select(names, rows, positive)
        room = max(1_000, min(settings.max_rows, settings.max_values // max(1, len(names))))
        selected, weights = thin(rows, positive, room, settings.seed, hard)
        return self._write_matrix(folder, names, selected), selected, weights

    def _write_matrix(
        self, folder: Path, names: tuple[str, ...], selected: npt.NDArray[np.int64]
    ) -> tuple[str, ...]:
        """Write the matrix of the columns that vary, and return their names."""
        path = folder / MATRIX
        if self.cluster is None:
            alive = write_matrix(path, self.dataset, names, selected)
        else:
            alive = write_matrix_on(self.cluster, path, self.dataset, names, selected)
        if not alive.any():
            raise NetopsError(f"{self.dataset.path}: no feature varies in the training split; give other telemetry")
        if not alive.all():
            names = tuple(name for name, varies in zip(names, alive, strict=True) if varies)
            keep_columns(path, alive)
        return names

    def _select(
        self, names: tuple[str, ...], rows: npt.NDArray[np.int64], positive: npt.NDArray[np.bool_]
    ) -> tuple[str, ...]:
        selected, weights = thin(rows, positive, SAMPLE, self.settings.seed)
        labels = positive[np.searchsorted(rows, selected)]
        sample = Sample(labels, weights)
        most, seed = self.settings.max_features, self.settings.seed
        return select(names, lambda some: self._gather(some, selected), sample, most, seed)

    def _gather(self, names: tuple[str, ...], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        if self.cluster is None:
            return gather(self.dataset, names, rows)
        return gather_on(self.cluster, self.dataset, names, rows, self.draft)

    def _write_scored(self, labelled: list[Labelled]) -> None:
        for name, split in SCORED_SPLITS.items():
            source = labelled[-1 if name == "test" else 0]
            rows = np.flatnonzero(source.split.rows(split))
            np.save(self.draft / f"{name}.npy", np.where(source.scored(split), rows, ~rows), allow_pickle=False)
        main = labelled[0]
        np.save(self.draft / "validation-labels.npy", main.evaluation_split(VALIDATION).labels, allow_pickle=False)
        if main.split.folds:
            of_row = main.split.folds.of_row[main.split.rows(VALIDATION)]
            np.save(self.draft / "folds.npy", of_row, allow_pickle=False)

    def _info(
        self, labelled: list[Labelled], arrays: dict[str, npt.NDArray[Any]], names: tuple[str, ...]
    ) -> dict[str, Any]:
        meta, main = self.dataset.meta, labelled[0]
        labels, weights = arrays["labels"], arrays["weights"]
        matrix = np.load(self.draft / MATRIX, mmap_mode="r")
        digest = hashlib.blake2b(digest_size=16)
        for values in chain(read_pieces(self.draft / MATRIX), arrays.values()):
            digest.update(np.ascontiguousarray(values).data)
        base_rate = float((labels * weights).sum() / weights.sum())
        data = {
            "source": meta.source,
            "counters": list(meta.details.get("counters", ())),
            "rows": len(labels),
            "positives": int(labels.sum()),
            "samples": round(float(weights.sum())),
            "base_rate": base_rate,
            "devices": meta.devices,
            "device_names": list(main.sequences.devices),
            "incidents": meta.incidents,
            "labels": summarize_labels(labelled),
            "fingerprint": digest.hexdigest(),
            "from": int(main.sequences.timestamps.min()),
            "to": int(main.sequences.timestamps.max()),
        }
        split: dict[str, Any] = {"kind": main.split.kind, "boundaries": list(main.split.boundaries)}
        split |= {"devices": [list(devices) for devices in main.split.devices]}
        split |= {"folds": len(main.split.folds)} if main.split.folds else {}
        counted = {entry: meta.details[entry] for entry in ("logs", "events") if entry in meta.details}
        return counted | {
            "spec": meta.features or {},
            "metrics": list(meta.metrics),
            "interval_seconds": meta.interval_seconds,
            "split": split,
            "data": data,
            "background": background_of(matrix, weights, names, self.settings.seed),
        }

    def _examples(
        self, names: tuple[str, ...], info: dict[str, Any], labelled: list[Labelled], why: str = ""
    ) -> Examples:
        sources = {
            name: str(labelled[-1 if name == "test" else 0].dataset.path.resolve()) for name in SCORED_SPLITS
        }
        asked = self.settings
        settings = {"split": asked.split, "seed": asked.seed, "cross_fit_below": asked.cross_fit_below}
        folds = len(labelled[0].split.folds or ())
        examples = Examples(
            self.folder, self.key, names, self.horizon, info, sources, settings, folds, not why, why
        )
        raw = asdict(examples)
        del raw["folder"]
        write_json(self.draft / FILE, raw)
        return examples
