"""Figures of the run report on other thresholds."""

from collections.abc import Mapping

import numpy as np

from netops.alerting.sequences import Floats
from netops.evaluation.evaluate import LEAD_SHARES, Evaluation
from netops.evaluation.report.figures import HEIGHT, WIDTH, Series, drawing_of, most_alarms, share_ticks, time_unit
from netops.evaluation.report.svg import Scale, axes
from netops.evaluation.report.words import known, lasting, number, percent


def alert_precision_figure(evaluations: Mapping[str, Evaluation], series: list[Series]) -> str:
    """Draw which fraction of the alerts is true against event recall; a dot marks the threshold in service."""
    description = "; ".join(
        f"{one.title} {percent(evaluations[one.name].figures.precision)} of the alerts true at "
        f"{percent(evaluations[one.name].figures.event_recall)} recall"
        for one in series
    )
    title = "Share of alerts that are true, against event recall"
    drawing = drawing_of("alert-precision", title, f"At the threshold in service: {description}")
    x, y = Scale(0, 1.02, 64, WIDTH - 12), Scale(0, 1.02, HEIGHT - 48, 14)
    axes(drawing, x, y, x_label="event recall", y_label="true alerts", x_ticks=share_ticks(), y_ticks=share_ticks())
    for one in series:
        recall, precision = _best_precision(evaluations[one.name])
        drawing.steps(x.all(recall), y.all(precision), f"line {one.style}")
    for one in series:
        found = evaluations[one.name].figures
        if known(found.event_recall) and known(found.precision):
            tip = f"{one.title}: {percent(found.precision)} true at {percent(found.event_recall)} recall"
            drawing.dot(x(found.event_recall), y(found.precision), 5, f"dot {one.style}", tip)
    return drawing.render()


def lead_by_alarms_figure(
    evaluations: Mapping[str, Evaluation], series: list[Series], best: str, budget: float
) -> str:
    """Draw the median lead time against false alarms at every threshold; for the best, 10% and 90% too."""
    description = "; ".join(
        f"{one.title} {lasting(evaluations[one.name].figures.median_lead_seconds)}" for one in series
    )
    title = "Lead time against false alarms"
    drawing = drawing_of("lead-by-alarms", title, f"Median lead time at the threshold in service: {description}")
    most = most_alarms(evaluations, budget)
    unit, word = time_unit(_longest(evaluations, most))
    x = Scale(0, most, 64, WIDTH - 12)
    y = Scale(0, _longest(evaluations, most) * 1.05 / unit, HEIGHT - 48, 14)
    axes(drawing, x, y, x_label="false alarms per device-day", y_label=f"lead time, {word}")
    drawing.line(x(budget), y.start, x(budget), y.end, "reference")
    drawing.text(x(budget) + 5, y.end + 12, f"budget {number(budget)}", "note")
    for one in series:
        curve = evaluations[one.name].curve
        shown = curve.false_alarms_per_device_day <= most
        alarms, leads = curve.false_alarms_per_device_day[shown], curve.lead_quantiles[shown] / unit
        for index in (0, -1) if one.name == best else ():
            drawing.path(x.all(alarms), _scaled(y, leads[:, index]), f"line thin {one.style}")
        drawing.path(x.all(alarms), _scaled(y, leads[:, LEAD_SHARES.index(0.5)]), f"line {one.style}")
    for one in series:
        found = evaluations[one.name].figures
        if known(found.false_alarms_per_device_day) and known(found.median_lead_seconds):
            tip = f"{one.title}: median {lasting(found.median_lead_seconds)}"
            at = x(found.false_alarms_per_device_day), y(found.median_lead_seconds / unit)
            drawing.dot(*at, 5, f"dot {one.style}", tip)
    return drawing.render()


def _best_precision(evaluation: Evaluation) -> tuple[Floats, Floats]:
    """Return the best precision at a recall or more: low thresholds, whose alerts never close, drop out."""
    curve = evaluation.curve
    shown = np.isfinite(curve.precision) & np.isfinite(curve.event_recall)
    order = np.lexsort((curve.precision[shown], curve.event_recall[shown]))
    recall, precision = curve.event_recall[shown][order], curve.precision[shown][order]
    best = np.maximum.accumulate(precision[::-1])[::-1]
    if len(recall) == 0:
        return recall, best
    # A step function holds each value until the next recall: its value is the best from there on.
    return np.concatenate([[0.0], recall]), np.concatenate([best, best[-1:]])


def _longest(evaluations: Mapping[str, Evaluation], most: float) -> float:
    """Find the longest lead time to be drawn, in seconds."""
    leads = [
        one.curve.lead_quantiles[one.curve.false_alarms_per_device_day <= most].ravel()
        for one in evaluations.values()
    ]
    there = np.concatenate(leads)
    there = there[np.isfinite(there)]
    return float(there.max()) if len(there) else 60.0


def _scaled(scale: Scale, values: Floats) -> Floats:
    """Return the coordinates of values; NaN stays NaN and interrupts the line."""
    return np.where(np.isfinite(values), scale.all(values), np.nan)
