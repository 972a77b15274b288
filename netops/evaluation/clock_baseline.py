"""Baseline that predicts from the time alone, without measured values."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from netops.alerting.sequences import Flags, Floats, Sequences
from netops.config.durations import DAY, HOUR
from netops.training.examples import SCORED_SPLITS, Examples
from netops.training.labelled import Labelled
from netops.training.splits import TRAIN

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

#: Healthy rows, and positive ones, that it is fitted on.
_MAX_ROWS = 50_000
# Day 0 of the epoch was a Thursday.
_MONDAY = 3
_TREES, _RATE, _LEAVES, _MIN_SAMPLES = 30, 0.2, 15, 40


def clock_features(sequences: Sequences) -> Floats:
    """Return the time features of each sample.

    Parameters
    ----------
    sequences : Sequences

    Returns
    -------
    float64 array, rows × 3
        Time of day (UTC) in hours, day of the week (0 is Monday), hours since the telemetry of the device began.
    """
    times = sequences.timestamps
    counts = np.diff(sequences.offsets)
    began = np.repeat(times[sequences.offsets[:-1][counts > 0]], counts[counts > 0])
    return np.column_stack(
        [times % DAY / HOUR, (times // DAY + _MONDAY) % 7, (times - began) / HOUR],
    )


def clock_risks(examples: Examples, seed: int = 0) -> dict[str, Floats]:
    """Fit the clock-only model on the training split and score the others; cross-fitted as any model.

    Parameters
    ----------
    examples : Examples
    seed : int

    Returns
    -------
    dict
        ``validation`` and ``test`` → risks in 0..1 in the order of their rows; NaN where a sample is not scored.
    """
    main = examples.labelled[0]
    shown = clock_features(main.sequences)
    fitted = _fit(main, main.split.rows(TRAIN), shown, seed)
    risks = {}
    for name, split in SCORED_SPLITS.items():
        source = examples.labelled[-1 if name == "test" else 0]
        seen = shown if source is main else clock_features(source.sequences)
        scored = source.scored(split)
        risks[name] = np.full(len(scored), np.nan)
        rows = np.flatnonzero(source.split.rows(split))[scored]
        folds = main.split.folds if name == "validation" else None
        if folds is None:
            risks[name][scored] = fitted.predict_proba(seen[rows])[:, 1]
            continue
        for fold in range(len(folds)):
            model = _fit(main, main.fold_rows(fold), shown, seed)
            mine = folds.of_row[rows] == fold
            risks[name][np.flatnonzero(scored)[mine]] = model.predict_proba(seen[rows[mine]])[:, 1]
    return risks


def _fit(main: Labelled, chosen: Flags, shown: Floats, seed: int) -> "HistGradientBoostingClassifier":
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = _training_rows(main, chosen, seed)
    model = HistGradientBoostingClassifier(
        max_iter=_TREES,
        learning_rate=_RATE,
        max_leaf_nodes=_LEAVES,
        min_samples_leaf=_MIN_SAMPLES,
        early_stopping=False,
        random_state=seed,
    )
    return model.fit(shown[rows], main.training_labels[rows])


def _training_rows(main: Labelled, chosen: Flags, seed: int) -> npt.NDArray[np.int64]:
    """Take at most ``_MAX_ROWS`` rows of each class: the ranking counts, not the level of the risks."""
    generator = np.random.default_rng(seed)
    labels = np.where(chosen, main.training_labels, np.int8(-1))
    classes = [np.flatnonzero(labels == label) for label in (0, 1)]
    return np.concatenate(
        [rows if len(rows) <= _MAX_ROWS else generator.choice(rows, _MAX_ROWS, replace=False) for rows in classes]
    )
