"""Results of other thresholds on the test split, for comparison with the one in service."""

from typing import TypedDict, cast

import numpy as np

from netops.evaluation.evaluate import LEAD_SHARES
from netops.models.card_sections import CurveValues, EvaluationValues

#: The figures that the curve of an evaluation and its own have in common.
_FIGURES = ("threshold", "event_recall", "false_alarms_per_device_day", "precision", "median_lead_seconds")


class ThresholdFigures(TypedDict):
    """What a threshold would have done; unknown figures are None."""

    threshold: float
    event_recall: float | None
    false_alarms_per_device_day: float | None
    precision: float | None
    median_lead_seconds: float | None
    lead_quantiles: list[float | None] | None
    in_service: bool


def other_thresholds(evaluation: EvaluationValues, each: int = 5) -> list[ThresholdFigures]:
    """Choose thresholds to report: densely near the one in service, sparsely farther away.

    Parameters
    ----------
    evaluation : dict
        ``Evaluation.to_dict()``, as stored in the model card.
    each : int
        How many above and below at most.

    Returns
    -------
    list of dict
        The highest first: threshold, figures, ``lead_quantiles`` and ``in_service``. Thresholds that do the same
        as the one before are excluded.
    """
    chosen: ThresholdFigures = {
        "threshold": evaluation["threshold"],
        "event_recall": evaluation.get("event_recall"),
        "false_alarms_per_device_day": evaluation.get("false_alarms_per_device_day"),
        "precision": evaluation.get("precision"),
        "median_lead_seconds": evaluation.get("median_lead_seconds"),
        "lead_quantiles": _quantiles(evaluation),
        "in_service": True,
    }
    rows = _rows(evaluation.get("curve") or {})
    at = evaluation["threshold"]
    above = [row for row in rows if row["threshold"] > at][::-1]
    below = [row for row in rows if row["threshold"] < at]
    higher, lower = _sparse(above, chosen, each), _sparse(below, chosen, each)
    return [*higher[::-1], chosen, *lower]


def _rows(curve: CurveValues) -> list[ThresholdFigures]:
    """Turn the columns of a curve into rows; cards of earlier versions lack some of them."""
    columns = {name: values for name, values in curve.items() if isinstance(values, list)}
    names = [name for name in (*_FIGURES, "lead_quantiles") if name in columns]
    return [
        cast(ThresholdFigures, dict(zip(names, values, strict=True)) | {"in_service": False})
        for values in zip(*(columns[name] for name in names), strict=True)
    ]


def _quantiles(evaluation: EvaluationValues) -> list[float | None] | None:
    leads = evaluation.get("lead_seconds") or []
    return np.quantile(leads, LEAD_SHARES).tolist() if leads else None


def _sparse(rows: list[ThresholdFigures], nearest: ThresholdFigures, each: int) -> list[ThresholdFigures]:
    """Return the 1st, 2nd, 4th, 8th … of the rows with different outcomes."""
    different, last = [], _outcome(nearest)
    for row in rows:
        if _outcome(row) != last:
            different.append(row)
            last = _outcome(row)
    indices = [2**power - 1 for power in range(each) if 2**power <= len(different)]
    return [different[index] for index in indices]


def _outcome(row: ThresholdFigures) -> tuple[float | None, float | None]:
    return row["event_recall"], row["false_alarms_per_device_day"]
