"""The model without labels: fitted on the training split as it is, whatever happened in it.

Labels, incidents and verdicts are not read. What failed in the training split is part of the usual then: medians
and quartiles hardly notice it.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.models.card import ModelCard, library_versions, version_of
from netops.models.card_sections import Calibration
from netops.models.deviations import DEVIATIONS, KNEE, LIMIT, Deviations, surprise
from netops.models.onnx_file import Session, save_model
from netops.models.scaling import Scaling
from netops.training.columns import columns_of
from netops.training.examples import SCORED_SPLITS, Examples
from netops.training.fitting import (
    Compared,
    check_agreement,
    risks_path,
    score_rows,
    score_splits,
    write_risks,
)
from netops.training.rows import gather
from netops.training.splits import TRAIN

#: Training samples that are read; more would not change the quantiles.
MOST_ROWS = 100_000
#: The tail of the training samples that the log-odds are straight through: fractions of them.
TAIL = (0.1, 0.02)
#: Fraction of the samples at or above the risk ½.
HALF = 1e-4
#: Ranges of quantiles, and how many standard deviations of a normal distribution each is wide. The first that is
#: not empty gives the spread: half of the values of an error counter are equal.
_RANGES = ((25.0, 75.0, 1.349), (5.0, 95.0, 3.290), (1.0, 99.0, 4.653))

_UNCALIBRATED: Calibration = {
    "method": None,
    "part": "validation",
    "reason": "There are no labels to calibrate by.",
    "rows": 0,
    "positives": 0,
}

Floats = npt.NDArray[np.float64]


def fit_deviations(values: Floats, columns: Sequence[tuple[int, int | None]]) -> Deviations:
    """Fit the model.

    Parameters
    ----------
    values : float64 array, n × F
        Some training samples, raw features, NaN where unknown.
    columns : sequence of (int, int or None)
        For each metric, its current value and its mean over the longest window.
    """
    levels = np.array([current for current, _ in columns], np.int64)
    pairs = [(current, mean) for current, mean in columns if mean is not None]
    pasts, means = np.array(pairs, np.int64).reshape(-1, 2).T.copy()
    with np.errstate(invalid="ignore"):  # infinite values of both are unknown
        terms = np.hstack([values[:, levels], values[:, pasts] - values[:, means]])
    moments = [_moments(terms[:, index]) for index in range(terms.shape[1])]
    centre, spread = np.array(moments, np.float64).T.copy()
    scaling = Scaling(centre, spread, LIMIT, fill=True)
    slope, intercept = _odds(surprise(scaling.apply(terms)).sum(axis=1))
    usual = Scaling.fit(values, LIMIT, fill=True)
    return Deviations(levels, pasts, means, scaling, usual, slope, intercept)


def _moments(values: Floats) -> tuple[float, float]:
    """Return median and robust standard deviation of the known values."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    for low, high, width in _RANGES:
        first, last = np.percentile(known, (low, high))
        if last > first:
            return float(np.median(known)), float(last / width - first / width)
    return float(np.median(known)), float(np.std(known)) or 1.0


def _odds(sums: Floats) -> tuple[float, float]:
    """Return slope and intercept of the log-odds: the tail of the sums as a straight line, extended."""
    first, last = np.quantile(sums, [1 - fraction for fraction in TAIL])
    slope = float(np.log(TAIL[0] / TAIL[1]) / (last - first)) if last > first else 1.0
    return slope, float(np.log(HALF / TAIL[0]) - slope * first)


def build_deviations(
    examples: Examples, out: Path, *, network: str, seed: int = 0, purpose: tuple[object, ...] = ()
) -> ModelCard:
    """Fit the model on the training split and write it as a model folder.

    The risks of validation and test split are stored with the examples, as those of any model.

    Parameters
    ----------
    examples : Examples
        Their labels, if any, are not used.
    out : Path
        Model folder to write.
    network : str
        Name of the network.
    seed : int
        Of the choice of training samples, if there are more than 100,000.
    purpose : tuple
        What its threshold will be chosen for: with another alert budget it is another version.

    Returns
    -------
    ModelCard
        Without threshold and evaluation.

    Raises
    ------
    NetopsError
        If no metric varies, or the file does not agree with the fitted model.
    """
    started = time.monotonic()
    names, fitted = _fitted(examples, seed)
    seconds, model = time.monotonic() - started, fitted.build()
    compared = Compared(fitted.predict)
    risks = _scored(compared.scoring(Session(model).score), examples, names)
    agreement = check_agreement(DEVIATIONS, compared.greatest, "the fitted model")
    card = _card(examples, names, network, model, seed, purpose).updated(agreement=agreement, fit_seconds=seconds)
    for split, values in risks.items():
        write_risks(risks_path(examples.folder, card.version, split), values)
    save_model(out, model, card)
    return card


def deviation_risks(examples: Examples, seed: int = 0) -> dict[str, Floats]:
    """Fit the model on the training split, and score the others: a baseline that no label has reached.

    Returns
    -------
    dict
        ``validation`` and ``test`` → risks in 0..1 in the order of their rows; NaN where a sample is not scored.
    """
    names, fitted = _fitted(examples, seed)
    return _scored(fitted.predict, examples, names)


def _fitted(examples: Examples, seed: int) -> tuple[tuple[str, ...], Deviations]:
    """Fit on samples of the training split; metrics that do not vary in them are left out."""
    main = examples.labelled[0]
    rows = np.flatnonzero(main.split.rows(TRAIN))
    if len(rows) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_ROWS, replace=False))
    # Drift is measured on the features of the examples: without labels they are those of the model.
    known = None if examples.supervised else set(examples.names)
    columns = {name: mean for name, mean in columns_of(main.dataset).items() if known is None or name in known}
    every = [name for pair in columns.items() for name in pair if name]
    values = gather(main.dataset, every, rows)
    varying = {name for name, column in zip(every, values.T, strict=True) if _varies(column)}
    chosen = {metric: mean if mean in varying else None for metric, mean in columns.items() if metric in varying}
    if not chosen:
        raise NetopsError(f"{main.dataset.path}: no metric varies in the training split; give other telemetry")
    names = [name for pair in chosen.items() for name in pair if name]
    pairs = [(names.index(metric), names.index(mean) if mean else None) for metric, mean in chosen.items()]
    return tuple(names), fit_deviations(values[:, [every.index(name) for name in names]], pairs)


def _varies(column: Floats) -> bool:
    known = column[np.isfinite(column)]
    return len(known) > 0 and bool(known.min() < known.max())


def _scored(score: Callable[[Floats], Floats], examples: Examples, names: tuple[str, ...]) -> dict[str, Floats]:
    return score_splits(
        lambda dataset, rows: score_rows(score, dataset, names, rows),
        {split: Path(examples.sources[split]) for split in SCORED_SPLITS},
        {split: np.array(examples.array(split)) for split in SCORED_SPLITS},
    )


def _card(
    examples: Examples,
    names: tuple[str, ...],
    network: str,
    model: bytes,
    seed: int,
    purpose: tuple[object, ...],
) -> ModelCard:
    info = examples.info
    return ModelCard(
        network=network,
        family=DEVIATIONS,
        version=version_of(model, network, names, info["spec"], examples.horizon, *purpose),
        features=names,
        spec=info["spec"],
        metrics=tuple(info["metrics"]),
        horizon=examples.horizon,
        interval_seconds=info["interval_seconds"],
        params={"knee": KNEE, "seed": seed},
        split=info["split"],
        data=info["data"],
        background=info["background"],
        libraries=library_versions(("onnx", "onnxruntime", "numpy")),
        calibration=_UNCALIBRATED,
        logs=info.get("logs", {}),
        events=info.get("events", {}),
        supervised=False,
    )
