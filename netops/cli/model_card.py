"""Text output of ``netops models``: metrics with intervals, groups, other thresholds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from netops.cli.output import table

if TYPE_CHECKING:
    from netops.alerting.resampling import Interval
    from netops.evaluation.evaluate import Figures
    from netops.models.card import ModelCard
    from netops.models.card_sections import EvaluationValues

#: Figures as a model card or the registry stores them: names → numbers, None where unknown, or more of these.
Stored: TypeAlias = Mapping[str, Any]
#: Formats a figure.
Write: TypeAlias = Callable[[float | None], str]

#: Field of a version → its column heading in the list.
LISTED = {
    "network": "network",
    "version": "version",
    "family": "family",
    "champion": "champion",
    "state": "state",
    "average_precision": "average precision",
    "event_recall": "event recall",
    "false_alarms_per_device_day": "false alarms per device-day",
    "alerts_per_device_day": "alerts per device-day",
    "median_lead_seconds": "median lead",
    "expected_calibration_error": "calibration error",
    "created": "created",
}


def listed(row: Stored) -> dict[str, str]:
    """Return the row of a version in the list: each metric with its 95% interval."""
    cells = {
        "network": row["network"],
        "version": row["version"],
        "family": row["family"],
        "champion": "yes" if row["champion"] else "shadow" if row.get("shadow") else "",
        "state": row.get("state") or "candidate",
        "created": _moment(row["created"]),
    }
    writes = _writes()
    for name in LISTED.keys() - cells.keys():
        between = _between(row.get("intervals", {}).get(name), writes[name])
        cells[name] = writes[name](row.get(name)) + (f" ({between})" if between else "")
    return {heading: cells[name] for name, heading in LISTED.items()}


def described(card: "ModelCard") -> Iterator[str]:
    """Yield the lines of a model card."""
    from netops.evaluation.report.calibration import calibration_words
    from netops.evaluation.report.search import search_words

    evaluation = card.evaluation
    if not evaluation:
        yield "not evaluated yet: it has no threshold and no metrics"
        return
    if not card.supervised:
        yield from _unlabelled(card)
        return
    yield from _headed("On the test split, at the threshold in service", _figures(evaluation))
    yield ""
    yield _alerts(card)
    yield f"calibration: {calibration_words(card)}"
    if search := search_words(card):
        yield f"search: {search}"
    for kind, members in (evaluation.get("groups") or {}).items():
        intervals = (evaluation.get("group_intervals") or {}).get(kind, {})
        yield from _headed(f"By {kind.replace('_', ' ')}", _group(members, intervals))
    yield from _headed("Other thresholds, on the test split", _thresholds(evaluation))


def _unlabelled(card: "ModelCard") -> Iterator[str]:
    """Yield what is known of a model without labels."""
    from netops.evaluation.report.words import counted, number

    evaluation, write = card.evaluation, _writes()["alerts_per_device_day"]
    alerts, days = counted(evaluation.get("alerts") or 0, "alert"), number(evaluation.get("device_days"))
    yield "trained without labels: no figure of incidents is known"
    row = {
        "figure": "alerts per device-day",
        "value": write(evaluation.get("alerts_per_device_day")),
        "95% interval": _spread(_intervals(evaluation.get("intervals")).get("alerts_per_device_day"), write),
        "based on": f"{alerts} in {days} device-days, true and false ones",
    }
    yield from _headed("On the test split, at the threshold in service", [row])
    yield ""
    yield _alerts(card)
    if unused := (card.data.get("labels") or {}).get("unused"):
        yield f"labels: {unused}"


def _headed(title: str, rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    if rows:
        yield ""
        yield title
        yield from (f"  {line}" for line in table(rows))


def _figures(evaluation: Stored) -> list[dict[str, str]]:
    from netops.evaluation.report.words import counted, number, significant

    writes, intervals = _writes(), _intervals(evaluation.get("intervals"))
    found = evaluation.get
    raw = found("uncalibrated") or {}
    alerts = (found("true_alerts") or 0) + (found("false_alarms") or 0)
    based_on = {
        "event_recall": f"{found('incidents_warned')} of {counted(found('incidents') or 0, 'incident')}",
        "false_alarms_per_device_day": (
            f"{counted(found('false_alarms') or 0, 'alarm')} in {number(found('device_days'))} device-days"
        ),
        "precision": f"{found('true_alerts')} of {counted(alerts, 'alert')} true",
        "median_lead_seconds": "of the incidents warned of",
        "average_precision": f"base rate {number(found('base_rate'))}",
        "roc_auc": "",
        "expected_calibration_error": _of_the_risk(raw.get("expected_calibration_error"))
        + f"; {significant(found('calibration_error_at_risk'))} without the samples below 1/15",
        "brier": _of_the_risk(raw.get("brier")),
    }
    return [
        {
            "figure": _TITLES.get(name, name.replace("_", " ")),
            "value": writes[name](found(name)),
            "95% interval": _range(name, evaluation, intervals),
            "based on": why,
        }
        for name, why in based_on.items()
    ]


_TITLES = {
    "false_alarms_per_device_day": "false alarms per device-day",
    "precision": "precision of alerts",
    "median_lead_seconds": "median lead time",
    "roc_auc": "ROC AUC",
    "expected_calibration_error": "calibration error",
    "brier": "Brier score",
}


def _of_the_risk(value: float | None) -> str:
    from netops.evaluation.report.words import significant

    return f"{significant(value)} before calibration" if value is not None else "of the risk: not calibrated"


def _alerts(card: "ModelCard") -> str:
    from netops.evaluation.report.words import counted, lasting, number

    policy = card.alert
    text = f"alerts: open at a risk of {number(card.threshold, 4)}"
    if policy:
        text += f" on {counted(policy['for_samples'], 'sample')} in a row"
        text += f", close {lasting(policy['cooldown'] / 1e9)} after the last"
    evaluation = card.evaluation
    note = (evaluation.get("validation") or evaluation.get("unlabelled") or {}).get("note")
    return f"{text}. {note}" if note else text


def _group(members: Stored, intervals: Stored) -> list[dict[str, str]]:
    from netops.evaluation.report.words import lasting, number, percent

    rows = []
    for name, found in members.items():
        ranges = _intervals(intervals.get(name))
        row = {
            "": name or "(none)",
            "incidents": str(found["incidents"]),
            "event recall": _with(percent(found["event_recall"]), _range("event_recall", found, ranges)),
            "median lead": _with(
                lasting(found["median_lead_seconds"]), _range("median_lead_seconds", found, ranges)
            ),
        }
        if found["device_days"]:
            between = _range("false_alarms_per_device_day", found, ranges)
            row["false alarms per device-day"] = _with(number(found["false_alarms_per_device_day"]), between)
            row["precision"] = _with(percent(found["precision"]), _range("precision", found, ranges))
            row["average precision"] = number(found["average_precision"])
        rows.append(row)
    return rows


def _thresholds(evaluation: "EvaluationValues") -> list[dict[str, str]]:
    from netops.evaluation.other_thresholds import other_thresholds
    from netops.evaluation.report.words import closely, lasting, number, percent

    rows = []
    for found in other_thresholds(evaluation):
        leads = found.get("lead_quantiles") or [None]
        between = f"{lasting(leads[0])} to {lasting(leads[-1])}" if leads[0] is not None else ""
        rows.append(
            {
                "threshold": closely(found["threshold"]) + (" *" if found["in_service"] else ""),
                "event recall": percent(found["event_recall"]),
                "false alarms per device-day": number(found["false_alarms_per_device_day"]),
                "precision": percent(found["precision"]),
                "median lead": lasting(found["median_lead_seconds"]),
                "lead of the middle 80%": between,
            }
        )
    return rows


def _range(name: str, found: Stored, intervals: Mapping[str, "Interval"]) -> str:
    """Return the interval of a metric as text; an exact bound where all or no incidents were predicted."""
    from netops.evaluation.report.bounds import alarms_between, recall_between

    if name in ("event_recall", "false_alarms_per_device_day"):
        bound = recall_between if name == "event_recall" else alarms_between
        return bound(_as_figures(found), intervals.get(name))
    return _spread(intervals.get(name), _writes()[name])


def _as_figures(found: Stored) -> "Figures":
    from netops.evaluation.evaluate import Figures

    known: Stored = {name: found.get(name) for name in Figures.__dataclass_fields__}
    unknown = dict.fromkeys((name for name, value in known.items() if value is None), float("nan"))
    return Figures(**{**known, **unknown})


def _intervals(raw: Stored | None) -> "dict[str, Interval]":
    from netops.alerting.resampling import Interval

    unknown = float("nan")
    return {
        name: Interval(*(unknown if value[end] is None else value[end] for end in ("low", "high")))
        for name, value in (raw or {}).items()
    }


def _between(raw: Stored | None, write: Write) -> str:
    return _spread(_intervals({"": raw})[""], write) if raw else ""


def _spread(interval: "Interval | None", write: Write) -> str:
    from netops.evaluation.report.words import spread

    return spread(interval, write)


def _with(value: str, between: str) -> str:
    return f"{value} ({between})" if between else value


def _writes() -> dict[str, Write]:
    from netops.evaluation.report.words import lasting, number, percent, significant

    return {
        "average_precision": number,
        "roc_auc": number,
        "event_recall": percent,
        "precision": percent,
        "false_alarms_per_device_day": number,
        "alerts_per_device_day": number,
        "median_lead_seconds": lasting,
        "expected_calibration_error": significant,
        "brier": significant,
    }


def _moment(created: str) -> str:
    try:
        return f"{datetime.fromisoformat(created):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return created
