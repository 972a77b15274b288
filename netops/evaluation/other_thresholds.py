"""Results of other thresholds on the test split, for comparison with the one in service."""

from collections.abc import Mapping
from typing import Any

import numpy as np

#: The figures that the curve of an evaluation and its own have in common.
_FIGURES = ("threshold", "event_recall", "false_alarms_per_device_day", "precision", "median_lead_seconds")


def other_thresholds(evaluation: Mapping[str, Any], each: int = 5) -> list[dict[str, Any]]:
    """Choose thresholds worth telling of: those near the one in service closely, those farther away sparsely.

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
    chosen = {name: evaluation.get(name) for name in _FIGURES}
    chosen |= {"lead_quantiles": _quantiles(evaluation), "in_service": True}
    rows = _rows(evaluation.get("curve") or {})
    at = evaluation["threshold"]
    above = [row for row in rows if row["threshold"] > at][::-1]
    below = [row for row in rows if row["threshold"] < at]
    higher, lower = _sparse(above, chosen, each), _sparse(below, chosen, each)
    return [*higher[::-1], chosen, *lower]


def _rows(curve: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = [name for name in (*_FIGURES, "lead_quantiles") if name in curve]
    return [
        dict(zip(names, values, strict=True)) | {"in_service": False}
        for values in zip(*(curve[name] for name in names), strict=True)
    ]


def _quantiles(evaluation: Mapping[str, Any]) -> list[float] | None:
    from netops.evaluation.evaluate import LEAD_SHARES

    leads = evaluation.get("lead_seconds") or []
    return np.quantile(leads, LEAD_SHARES).tolist() if leads else None


def _sparse(rows: list[dict[str, Any]], nearest: dict[str, Any], each: int) -> list[dict[str, Any]]:
    """Take the 1st, 2nd, 4th, 8th … of the rows that differ in what they do."""
    different, last = [], _outcome(nearest)
    for row in rows:
        if _outcome(row) != last:
            different.append(row)
            last = _outcome(row)
    indices = [2**power - 1 for power in range(each) if 2**power <= len(different)]
    return [different[index] for index in indices]


def _outcome(row: Mapping[str, Any]) -> tuple[Any, Any]:
    return row["event_recall"], row["false_alarms_per_device_day"]
