"""The fit itself, from examples on disk to a model folder: what a worker process does.

Nothing here imports more than the fit needs: no MLRun, and of the families only the one that is fitted.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from netops.compute.cluster import Cluster, connect
from netops.compute.settings import WORKER_WAIT
from netops.config.binding import bind
from netops.errors import NetopsError
from netops.files import atomic_path, read_json
from netops.json_types import JsonDict
from netops.models.card import ModelCard, library_versions, version_of
from netops.models.card_sections import TrainingData
from netops.models.fitted import Fitted
from netops.models.onnx_file import Session, build_model, calibrated, save_model
from netops.models.platt import Platt, fit_platt
from netops.models.scaling import Scaling
from netops.telemetry.dataset import Dataset
from netops.training.families.protocol import Family, FitData
from netops.training.families.registry import FAMILIES
from netops.training.matrix import NAMES, ScaledMatrix, fold_folder
from netops.training.remote_rows import pieces_on, score_rows_on
from netops.training.rows import pieces
from netops.training.search import Limits, Search, TrialCallback
from netops.training.thinning import thin

#: How far the model file may be from the native model.
TOLERANCE = 1e-5
#: Rows of validation and test split that are scored by both; spread over all of them.
COMPARED_ROWS = 100_000
#: In the folder of a cross-fitted model.
HELD_OUT = "held_out.npz"
#: Recorded with the model's libraries.
_WRITERS = ("onnx", "onnxruntime", "numpy")

Say = Callable[[str], None]
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Job:
    """One fit: plain values, so that it travels to a worker as JSON.

    Attributes
    ----------
    examples : str
        Folder of the examples.
    network, family : str
    params : dict
        Hyper-parameters of the family.
    seed, threads : int
    out : str
        Model folder to write.
    trials : int or None
        Sets of hyper-parameters to try, ``params`` first; None: limited by the budget.
    budget : float or None
        Seconds within which the last trial begins.
    memory_values : int
        Maximum training rows × features in memory.
    scheduler : str or None
        Address of the Dask cluster whose workers read rows and, beyond ``memory_values``, grow trees.
    worker_wait : int
        How long that cluster may have no worker, in nanoseconds.
    """

    examples: str
    network: str
    family: str
    params: JsonDict
    seed: int
    threads: int
    out: str
    trials: int | None = 1
    budget: float | None = None
    memory_values: int = 25_000_000
    scheduler: str | None = None
    worker_wait: int = WORKER_WAIT

    def limits(self, since: float) -> Limits:
        """Return when a search that began then ends."""
        return Limits(self.trials, None if self.budget is None else since + self.budget)


def fit(
    job: Job,
    say: Say = lambda what: None,
    on_trial: TrialCallback = lambda trial: None,
    since: float | None = None,
) -> ModelCard:
    """Fit a family, calibrate it, save it as a model folder, check it, and score validation and test split.

    The risks of both splits are stored in the examples' folder, see :func:`risks_path`.

    Parameters
    ----------
    job : Job
    say : callable
        Receives progress messages.
    on_trial : callable
        Receives each trial of a search.
    since : float, optional
        Of the monotonic clock: when the budget began, by default now.

    Raises
    ------
    NetopsError
        If the model file does not agree with the native model within 1e-5 on rows of both splits, or the training
        rows are of one class only.
    """
    limits = job.limits(time.monotonic() if since is None else since)
    with _connected(job) as cluster:
        return _fit_family(job, say, on_trial, limits, cluster)


@contextmanager
def _connected(job: Job) -> Iterator[Cluster | None]:
    if job.scheduler is None:
        yield None
        return
    with connect(job.scheduler, job.worker_wait) as cluster:
        yield cluster


def _fit_family(job: Job, say: Say, on_trial: TrialCallback, limits: Limits, cluster: Cluster | None) -> ModelCard:
    folder = Path(job.examples)
    family: Family = bind(FAMILIES[job.family], job.params, f"families: {job.family}")
    examples = read_json(folder / "examples.json")
    say("load libraries")
    family.load(job.threads)
    say("fit")
    held_out, family = _cross_fit(folder, examples, family, job, cluster) if examples["folds"] else (None, family)
    scaling, data = _data(folder, family, job, cluster)
    took: TrainingData = {"fitted_rows": len(data.labels), "read": data.read_from}
    family, fitted, seconds = _fit(family, data, job, limits, on_trial)
    if workers := getattr(fitted, "workers", 0):
        took["workers"] = workers
    del data
    say("check")
    model = build_model(scaling, fitted)
    splits = ["test"] if held_out is not None else ["validation", "test"]
    risks, greatest = _splits(
        model, lambda features: fitted.predict(scaling.apply(features)), examples, splits, job, cluster
    )
    risks |= {} if held_out is None else {"validation": held_out}
    agreement = check_agreement(job.family, greatest, "the native model")
    calibration = fit_platt(risks["validation"], np.load(folder / "validation-labels.npy"))
    if isinstance(calibration, Platt):
        model = calibrated(model, calibration)
    card = _card(job, examples, family, scaling, fitted, model)
    card = card.updated(fit_seconds=seconds, agreement=agreement, calibration=calibration.to_dict())
    card = card.updated(data=card.data | took)
    for split, values in risks.items():
        write_risks(risks_path(folder, card.version, split), values)
    save_model(Path(job.out), model, card)
    if held_out is not None:
        write_held_out(Path(job.out), examples["info"]["data"]["fingerprint"], held_out)
    return card


def _fit(
    family: Family, data: FitData, job: Job, limits: Limits, on_trial: TrialCallback
) -> tuple[Family, Fitted, float]:
    if not limits.one and data.stops_early:
        return Search(data, job.seed, job.threads, limits, on_trial).run(family)
    started = time.monotonic()
    fitted = _fit_once(family, data, job)
    return family, fitted, time.monotonic() - started


def _fit_once(family: Family, data: FitData, job: Job) -> Fitted:
    return family.fit(data.whole() if family.rounds is None else data, job.seed, job.threads)


def _cross_fit(
    folder: Path, examples: dict[str, Any], family: Family, job: Job, cluster: Cluster | None
) -> tuple[Floats, Family]:
    """Score each row of validation by a model of the other folds.

    Returns
    -------
    float64 array, Family
        The risks, in the order of ``validation.npy``; and the family with the median of the folds' iterations,
        which the model of all folds is fitted with.
    """
    rows, of_row = np.load(folder / "validation.npy"), np.load(folder / "folds.npy")
    dataset = Dataset.open(Path(examples["sources"]["validation"]))
    risks, iterations = np.full(len(rows), np.nan), []
    for fold in range(examples["folds"]):
        own = fold_folder(folder, fold)
        scaling, data = _data(own, family, job, cluster)
        fitted = _fit_once(family, data, job)
        del data
        mine = np.flatnonzero(of_row == fold)
        model = build_model(scaling, fitted)
        risks[mine] = _scored(model, job, cluster, dataset, read_json(own / NAMES), rows[mine])
        iterations.append(fitted.iterations)
    if family.rounds is None:
        return risks, family
    rounds = max(1, round(float(np.median(iterations))))
    return risks, replace(family, **{family.rounds: rounds})  # type: ignore[type-var]


def write_held_out(model: Path, fingerprint: str, risks: Floats) -> None:
    """Write the risks over validation into the folder of a cross-fitted model, which has seen these rows."""
    with atomic_path(model / HELD_OUT) as draft, draft.open("wb") as file:
        np.savez_compressed(file, risks=risks, fingerprint=np.array(fingerprint))


def read_held_out(model: Path, fingerprint: str) -> Floats | None:
    """Read what :func:`write_held_out` wrote for the same examples; None where there is nothing of them."""
    if not (model / HELD_OUT).is_file():
        return None
    with np.load(model / HELD_OUT, allow_pickle=False) as held_out:
        risks: Floats = held_out["risks"]
        return risks if str(held_out["fingerprint"]) == fingerprint else None


def risks_path(examples: Path, version: str, split: str) -> Path:
    """Name the file of the risks of a model over a split: float64, NaN for rows that are not scored."""
    return examples / f"risks-{version}-{split}.npy"


def write_risks(path: Path, risks: npt.NDArray[np.float64]) -> None:
    """Store the risks of a model over a split."""
    with atomic_path(path) as draft, draft.open("wb") as file:
        np.save(file, risks, allow_pickle=False)


def check_agreement(family: str, greatest: float, reference: str) -> float:
    """Return the greatest difference of a model file from what it is compared with.

    Raises
    ------
    NetopsError
        If it is too great.
    """
    if not greatest <= TOLERANCE:
        raise NetopsError(
            f"{family}: the model file is {greatest:.2g} off {reference}, {TOLERANCE:g} is allowed; "
            "the model is not saved"
        )
    return greatest


class Compared:
    """Compares a model file with the native model on samples that the file scores.

    Parameters
    ----------
    native : callable
        Raw features (float64, n × F) → the risks of the native model.
    step : int
        Every ``step``-th sample is compared.

    Attributes
    ----------
    greatest : float
        The greatest difference so far.
    """

    def __init__(self, native: Callable[[Floats], Floats], step: int = 1) -> None:
        self._native, self.step, self.greatest = native, step, 0.0

    def scoring(self, score: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
        """Return ``score``, which is that of the file, with the comparison."""

        def scored(features: Floats) -> Floats:
            risks = score(features)
            self.compare(features[:: self.step], risks[:: self.step])
            return risks

        return scored

    def compare(self, features: Floats, risks: Floats) -> None:
        """Compare the risks of samples."""
        difference = np.abs(self._native(features) - risks).max(initial=0.0)
        self.greatest = float(np.maximum(self.greatest, difference))  # NaN if one is


def score_splits(
    score: Callable[[Dataset, Rows], Floats], sources: Mapping[str, Path], rows: Mapping[str, Rows]
) -> dict[str, Floats]:
    """Score splits, those of one dataset in one pass over it.

    Parameters
    ----------
    score : callable
        As :func:`score_rows`, of a dataset and rows of it.
    sources, rows : mapping
        Split → its features dataset, and its rows.

    Returns
    -------
    dict
        Split → risks, as of :func:`score_rows`.
    """
    risks: dict[str, Floats] = {}
    for source in dict.fromkeys(sources[split] for split in rows):
        mine = [split for split in rows if sources[split] == source]
        every = np.concatenate([rows[split] for split in mine])
        order, found = np.argsort(every, kind="stable"), np.empty(len(every))
        found[order] = score(Dataset.open(source), every[order])
        risks |= zip(mine, np.split(found, np.cumsum([len(rows[split]) for split in mine])[:-1]), strict=True)
    return risks


def score_rows(
    score: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    dataset: Dataset,
    names: tuple[str, ...] | list[str],
    rows: Rows,
) -> npt.NDArray[np.float64]:
    """Score rows of a features dataset piece by piece; a negative row (``~row``) is not scored.

    Returns
    -------
    float64 array, rows
        Risks in 0..1, NaN where nothing was to be scored.
    """
    risks = np.full(len(rows), np.nan)
    indices = np.flatnonzero(rows >= 0)
    for piece, features in pieces(dataset, list(names), rows[indices]):
        risks[indices[piece]] = score(features)
    return risks


def _data(folder: Path, family: Family, job: Job, cluster: Cluster | None) -> tuple[Scaling, FitData]:
    """Read the training rows: into memory, in pieces, or thinned if the family cannot use pieces."""
    matrix = np.load(folder / "features.npy", mmap_mode="r")
    labels, weights, early = (np.load(folder / f"{name}.npy") for name in ("labels", "weights", "early"))
    weights = weights * np.load(folder / "nearness.npy")
    scaling = Scaling.fit(matrix, family.limit, not family.takes_missing)
    source = ScaledMatrix(folder / "features.npy", scaling, matrix.shape)
    del matrix
    room = max(1_000, job.memory_values // max(1, source.shape[1]))
    if len(source) <= room:
        return scaling, FitData(_rows(source, np.ones(len(source), bool)), labels, weights, early)
    if family.takes_pieces:
        return scaling, FitData(source, labels, weights, early, cluster)
    selected, more = thin(np.arange(len(source)), labels == 1, room, job.seed, np.load(folder / "hard.npy"))
    chosen = np.zeros(len(source), bool)
    chosen[selected] = True
    return scaling, FitData(_rows(source, chosen), labels[selected], weights[selected] * more, early[selected])


def _rows(source: ScaledMatrix, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    scaled = np.empty((int(chosen.sum()), source.shape[1]), np.float32)
    done = 0
    for start in range(0, len(source), 8_192):
        piece = source[start : start + 8_192][chosen[start : start + 8_192]]
        scaled[done : done + len(piece)] = piece
        done += len(piece)
    return scaled


def _scored(
    model: bytes,
    job: Job,
    cluster: Cluster | None,
    dataset: Dataset,
    names: list[str],
    rows: Rows,
    compared: Compared | None = None,
) -> Floats:
    """Score rows by a model that is not saved yet, on the workers if there are some."""
    if cluster is None:
        score = Session(model, job.threads).score
        return score_rows(compared.scoring(score) if compared else score, dataset, names, rows)
    columns, folder = tuple(names), Path(job.examples)
    risks = score_rows_on(cluster, model, dataset, columns, rows, folder)
    if compared:
        some = np.flatnonzero(rows >= 0)[:: compared.step]
        for piece, features in pieces_on(cluster, dataset, columns, rows[some], folder):
            compared.compare(features, risks[some[piece]])
    return risks


def _splits(
    model: bytes,
    native: Callable[[Floats], Floats],
    examples: dict[str, Any],
    splits: list[str],
    job: Job,
    cluster: Cluster | None,
) -> tuple[dict[str, Floats], float]:
    """Score splits; return the risks, and the greatest difference from the native model on some of the rows."""
    rows = {split: np.load(Path(job.examples) / f"{split}.npy") for split in splits}
    compared = Compared(native, max(1, sum(map(len, rows.values())) // COMPARED_ROWS))
    risks = score_splits(
        lambda dataset, every: _scored(model, job, cluster, dataset, examples["names"], every, compared),
        {split: Path(examples["sources"][split]) for split in splits},
        rows,
    )
    return risks, compared.greatest


def _card(
    job: Job, examples: dict[str, Any], family: Family, scaling: Scaling, fitted: Fitted, model: bytes
) -> ModelCard:
    info = examples["info"]
    spec, names = info["spec"], tuple(examples["names"])
    return ModelCard(
        network=job.network,
        family=job.family,
        version=version_of(model, job.network, names, spec, examples["horizon"]),
        features=names,
        spec=spec,
        metrics=tuple(info["metrics"]),
        horizon=examples["horizon"],
        interval_seconds=info["interval_seconds"],
        scaling=scaling.to_dict(),
        params=asdict(family) | {"seed": job.seed, "threads": job.threads},  # type: ignore[call-overload]
        iterations=fitted.iterations,
        split=info["split"],
        data=info["data"],
        background=info["background"],
        logs=info.get("logs", {}),
        events=info.get("events", {}),
        libraries=library_versions((*family.libraries, *_WRITERS)),
    )
