"""The figures of the run report that compare models."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netops.evaluation.evaluate import Evaluation
from netops.evaluation.plots import frontier
from netops.evaluation.report.facts import lead_steps
from netops.evaluation.report.svg import SERIES, Drawing, Scale, axes
from netops.evaluation.report.words import known, number, percent, shortened, significant, titled
from netops.models.deviations import DEVIATIONS

BASELINE, CLOCK = "static_threshold", "clock_only"
WIDTH, HEIGHT = 560.0, 340.0
#: Maximum bars, the minimum loss of a bar, and the maximum letters of a name.
MOST_FEATURES, LEAST_LOSS, _LONGEST = 12, 0.005, 48


@dataclass(frozen=True)
class Series:
    """How a model is drawn, the same in all figures."""

    name: str
    style: str

    @property
    def title(self) -> str:
        """What people call it."""
        return titled(self.name)


def series_of(names: list[str]) -> list[Series]:
    """Assign each model a colour and dash; the baselines have their own."""
    own = {BASELINE: "sb", CLOCK: "sc", DEVIATIONS: "sd"}
    models = [name for name in names if name not in own]
    styles = {name: f"s{number % SERIES}" for number, name in enumerate(models)} | own
    return [Series(name, styles[name]) for name in names]


def false_alarms_figure(evaluations: Mapping[str, Evaluation], series: list[Series], budget: float) -> str:
    """Draw event recall against false alarms at every threshold; a dot marks the threshold in service."""
    drawing = drawing_of("false-alarms", "Event recall against false alarms", _describe_alarms(evaluations, series))
    most = most_alarms(evaluations, budget)
    x, y = Scale(0, most, 64, WIDTH - 12), Scale(0, 1.02, HEIGHT - 48, 14)
    axes(
        drawing,
        x,
        y,
        x_label="false alarms per device-day",
        y_label="event recall",
        y_ticks=share_ticks(),
    )
    drawing.line(x(budget), y.start, x(budget), y.end, "reference")
    drawing.text(x(budget) + 5, y(0.91), f"budget {number(budget)}", "note")
    for one in series:
        curve = evaluations[one.name].curve
        alarms, recall = frontier(curve.false_alarms_per_device_day, curve.event_recall)
        shown = alarms <= most  # NaN where there is no healthy time
        if shown.any():
            alarms, recall = np.append(alarms[shown], most), np.append(recall[shown], recall[shown][-1])
            drawing.steps(x.all(alarms), y.all(recall), f"line {one.style}")
    for index, one in enumerate(series):
        found = evaluations[one.name].figures
        if known(_alarms(evaluations[one.name])) and known(found.event_recall):
            tip = f"{one.title}: recall {percent(found.event_recall)} at {number(_alarms(evaluations[one.name]))}"
            drawing.dot(
                x(_alarms(evaluations[one.name])),
                y(found.event_recall),
                max(3.5, 8 - 1.3 * index),
                f"dot {one.style}",
                tip,
            )
    return drawing.render()


def most_alarms(evaluations: Mapping[str, Evaluation], budget: float) -> float:
    """Choose the maximum false alarms per device-day of the axis: above the budget and the value in service."""
    return max([4 * budget, *(1.3 * np.nan_to_num(_alarms(one)) for one in evaluations.values())]) or 1.0


def time_unit(seconds: float) -> tuple[int, str]:
    """Choose the unit for times up to a maximum in seconds."""
    return (3600, "hours") if seconds > 3 * 3600 else (60, "minutes") if seconds > 180 else (1, "seconds")


def _alarms(evaluation: Evaluation) -> float:
    return evaluation.figures.false_alarms_per_device_day


def _describe_alarms(evaluations: Mapping[str, Evaluation], series: list[Series]) -> str:
    return "At the threshold in service: " + "; ".join(
        f"{one.title} {percent(evaluations[one.name].figures.event_recall)} of the incidents at "
        f"{number(_alarms(evaluations[one.name]))} false alarms per device-day"
        for one in series
    )


def precision_recall_figure(evaluations: Mapping[str, Evaluation], series: list[Series]) -> str:
    """Draw precision against recall by sample, with the base rate."""
    description = "; ".join(
        f"{one.title} {number(evaluations[one.name].figures.average_precision)}" for one in series
    )
    drawing = drawing_of(
        "precision-recall", "Precision against recall, by sample", f"Average precision: {description}"
    )
    x, y = Scale(0, 1.01, 64, WIDTH - 12), Scale(0, 1.02, HEIGHT - 48, 14)
    axes(drawing, x, y, x_label="recall", y_label="precision", x_ticks=share_ticks(), y_ticks=share_ticks())
    base = next(iter(evaluations.values())).figures.base_rate
    if known(base):
        drawing.line(x.start, y(base), x.end, y(base), "reference")
        drawing.text(
            x.start + 6, y(base) + (14 if base > 0.1 else -6), f"base rate {percent(base)}: a guess", "note"
        )
    for one in series:
        found = evaluations[one.name]
        drawing.path(x.all(found.recall), y.all(found.sample_precision), f"line {one.style}")
    return drawing.render()


def lead_times_figure(evaluations: Mapping[str, Evaluation], series: list[Series], horizon_seconds: float) -> str:
    """Draw the fraction of incidents that were predicted at least a lead time ahead."""
    description = "; ".join(
        f"{s.title} {percent(evaluations[s.name].figures.event_recall)} at any time" for s in series
    )
    drawing = drawing_of("lead-times", "Incidents predicted by minimum lead time", description)
    longest = max([horizon_seconds, *(max(one.lead_seconds, default=0) for one in evaluations.values())]) * 1.03
    unit, word = time_unit(longest)
    x, y = Scale(0, longest / unit, 64, WIDTH - 12), Scale(0, 1.02, HEIGHT - 48, 14)
    axes(
        drawing,
        x,
        y,
        x_label=f"{word} between the alert and the incident",
        y_label="share of incidents",
        y_ticks=share_ticks(),
    )
    drawing.line(x(horizon_seconds / unit), y.start, x(horizon_seconds / unit), y.end, "reference")
    drawing.text(x(horizon_seconds / unit) - 5, y.end + 12, "horizon", "note", "end")
    if not any(len(one.lead_seconds) for one in evaluations.values()):
        drawing.text((x.start + x.end) / 2, (y.start + y.end) / 2, "no incident was warned of", "note", "middle")
    for one in series:
        seconds, share = lead_steps(evaluations[one.name].lead_seconds, evaluations[one.name].figures.incidents)
        drawing.steps(x.all(seconds / unit), y.all(share), f"line {one.style}")
    return drawing.render()


def reliability_figure(evaluation: Evaluation, style: str) -> str:
    """Draw the reliability curve; a dot is as large as its samples are many.

    If the risks are calibrated, a fainter line shows the uncalibrated ones.
    """
    found, raw = evaluation.reliability, evaluation.uncalibrated
    word = "predicted probability" if raw else "predicted risk"
    description = (
        f"Calibration error {significant(found.expected_calibration_error)}, Brier score {significant(found.brier)}"
    )
    drawing = drawing_of("calibration", f"{word.capitalize()} against what happened", description)
    x, y = Scale(-0.03, 1.03, 64, WIDTH - 12), Scale(-0.03, 1.03, HEIGHT - 48, 14)
    axes(
        drawing,
        x,
        y,
        x_label=word,
        y_label="share that failed within the horizon",
        x_ticks=share_ticks(),
        y_ticks=share_ticks(),
    )
    drawing.line(x(0), y(0), x(1), y(1), "reference")
    if raw:
        drawing.path(x.all(raw.predicted), y.all(raw.happened), "line thin raw")
    drawing.path(x.all(found.predicted), y.all(found.happened), f"line thin {style}")
    for predicted, happened, samples in zip(found.predicted, found.happened, found.samples, strict=True):
        tip = f"{samples:,} samples: predicted {percent(predicted)}, happened {percent(happened)}"
        drawing.dot(x(predicted), y(happened), 2 + 1.1 * float(np.log10(samples)), f"dot {style}", tip)
    return drawing.render()


def importance_figure(losses: Mapping[str, float], key: str, title: str) -> str:
    """Draw the greatest losses as bars."""
    shown = [(name, loss) for name, loss in losses.items() if loss >= LEAST_LOSS][:MOST_FEATURES]
    if not shown:
        shown = list(losses.items())[:1]
    drawing = Drawing(title, _describe_losses(shown), WIDTH, 26.0 * len(shown) + 44, key)
    longest = max(len(shortened(name, _LONGEST)) for name, _ in shown)
    x = Scale(0, max([loss for _, loss in shown] + [1e-6]), min(7.0 * longest + 14, 360), WIDTH - 50)
    for index, (name, loss) in enumerate(shown):
        top = 8 + 26 * index
        drawing.text(x.start - 10, top + 13, shortened(name, _LONGEST), "label", "end")
        drawing.box(x.start, top, x(loss) - x.start, 18, "bar", f"{name}: {number(loss)}")
        drawing.text(x(loss) + 6, top + 13, number(loss, 2), "tick")
    drawing.line(x(0), 2, x(0), 26.0 * len(shown) + 6, "axis")
    drawing.text((x.start + x.end) / 2, drawing.height - 12, "average precision lost", "label", "middle")
    return drawing.render()


def _describe_losses(shown: list[tuple[str, float]]) -> str:
    return "; ".join(f"{name} {number(loss)}" for name, loss in shown)


def drawing_of(key: str, title: str, description: str) -> Drawing:
    """Create a drawing of the default size."""
    return Drawing(title, description, WIDTH, HEIGHT, key)


def share_ticks() -> list[tuple[float, str]]:
    """Mark the quarters of a whole."""
    return [(share, f"{share:.0%}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
