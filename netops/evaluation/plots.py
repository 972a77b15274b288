"""Plots of an evaluation, as PNG, in colours and dashes that are suitable for colour-blind readers."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from netops.alerting.sequences import Floats
from netops.evaluation.evaluate import Confusion, Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito 2008; black is reserved for references.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES: tuple[str | tuple[int, tuple[int, ...]], ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
_GREY = "#555555"


def precision_recall_plot(evaluations: Mapping[str, Evaluation]) -> bytes:
    """Draw precision against recall by sample, with the base rate, for each model."""
    figure, axes = _canvas("Precision and recall, by sample", "recall", "precision")
    for number, (name, evaluation) in enumerate(evaluations.items()):
        found = evaluation.figures
        label = f"{name}: average precision {_number(found.average_precision)}"
        axes.plot(evaluation.recall, evaluation.sample_precision, **_style(number), label=label)
    if evaluations:
        base = next(iter(evaluations.values())).figures.base_rate
        axes.axhline(base, color=_GREY, linewidth=1, linestyle=":", label=f"base rate {_number(base)}")
    axes.set(xlim=(0, 1.01), ylim=(0, 1.03))
    axes.legend(loc="best", fontsize=8)
    return _png(figure)


def false_alarms_plot(evaluations: Mapping[str, Evaluation], budget: float | None = None) -> bytes:
    """Draw event recall against false alarms at every threshold; a dot marks the threshold in service.

    Parameters
    ----------
    evaluations : mapping
        Model → its evaluation.
    budget : float, optional
        False alarms per device-day that are bearable.
    """
    figure, axes = _canvas("Event recall and false alarms", "false alarms per device-day", "event recall")
    most = 4 * budget if budget else 0.0
    for number, (name, evaluation) in enumerate(evaluations.items()):
        curve, found, style = evaluation.curve, evaluation.figures, _style(number)
        alarms, recall = frontier(curve.false_alarms_per_device_day, curve.event_recall)
        axes.plot(alarms, recall, drawstyle="steps-post", **style, label=name)
        axes.plot(found.false_alarms_per_device_day, found.event_recall, "o", color=style["color"], markersize=7)
        most = max(most, 1.3 * np.nan_to_num(found.false_alarms_per_device_day))
    if budget:
        axes.axvline(budget, color=_GREY, linewidth=1, linestyle=":", label=f"budget {_number(budget)}")
    axes.set(xlim=(-0.01 * (most or 1), most or 1), ylim=(0, 1.03))
    axes.legend(loc="lower right", fontsize=8, title="dot: the threshold in service", title_fontsize=8)
    return _png(figure)


def lead_time_plot(evaluation: Evaluation, horizon: int) -> bytes:
    """Draw the lead times of predicted incidents; ``horizon`` in nanoseconds."""
    found = evaluation.figures
    title = f"Lead times: {found.incidents_warned} of {found.incidents} incidents warned of"
    minutes = evaluation.lead_seconds / 60
    figure, axes = _canvas(title, "minutes from the first true alert to the incident", "incidents")
    longest = max([*minutes, horizon / 60e9])
    axes.hist(minutes, bins=np.linspace(0, longest, 25), color=COLOURS[0], edgecolor="white", linewidth=0.5)
    if len(minutes):
        median = float(np.median(minutes))
        axes.axvline(median, color=COLOURS[1], linestyle="--", label=f"median {median:.3g} min")
    axes.axvline(horizon / 60e9, color=_GREY, linestyle=":", label=f"horizon {horizon / 60e9:.3g} min")
    axes.locator_params(axis="y", integer=True)
    axes.legend(loc="best", fontsize=8)
    return _png(figure)


def reliability_plot(evaluation: Evaluation) -> bytes:
    """Draw the reliability curve; the size of a dot is the number of samples."""
    found = evaluation.reliability
    title = (
        f"Reliability: calibration error {_number(found.expected_calibration_error)}, Brier {_number(found.brier)}"
    )
    figure, axes = _canvas(title, "predicted probability", "share that failed within the horizon")
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle=":", label="as predicted")
    if raw := evaluation.uncalibrated:
        axes.plot(raw.predicted, raw.happened, color=_GREY, linewidth=1, linestyle="--", label="uncalibrated risk")
    axes.plot(found.predicted, found.happened, color=COLOURS[0], linewidth=1)
    size = 15 + 30 * np.log10(np.maximum(found.samples, 1))
    axes.scatter(
        found.predicted, found.happened, s=size, color=COLOURS[0], zorder=3, label="samples (size: how many)"
    )
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    axes.legend(loc="lower right", fontsize=8)
    return _png(figure)


def confusion_plot(confusion: Confusion) -> bytes:
    """Draw the confusion matrix by sample, at the threshold in service."""
    c = confusion
    counts = np.array([[c.true_negatives, c.false_positives], [c.false_negatives, c.true_positives]])
    figure, axes = _canvas("Confusion matrix, by sample", "risk", "", size=(4.6, 4.2))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.grid(visible=False)
    axes.set_xticks([0, 1], ["below threshold", "at or above"])
    axes.set_yticks([0, 1], ["healthy", "fails within\nthe horizon"])
    for (row, column), count in np.ndenumerate(counts):
        ink = "white" if share[row, column] > 0.55 else "black"
        percent = "<0.1%" if 0 < share[row, column] < 0.001 else f"{share[row, column]:.1%}"
        text = f"{count:,}\n{percent} of row"
        axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=10)
    return _png(figure)


def frontier(alarms: Floats, recall: Floats) -> tuple[Floats, Floats]:
    """Return the best recall at no more than n false alarms."""
    order = np.lexsort((recall, alarms))
    return alarms[order], np.maximum.accumulate(np.nan_to_num(recall[order]))


class _Style(TypedDict):
    color: str
    linestyle: str | tuple[int, tuple[int, ...]]
    linewidth: float


def _style(number: int) -> _Style:
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": DASHES[number % len(DASHES)],
        "linewidth": 1.8,
    }


def _canvas(title: str, x: str, y: str, size: tuple[float, float] = (6.4, 4.2)) -> "tuple[Figure, Axes]":
    # The object interface: no pyplot, so no global state and no display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=11, loc="left")
    axes.set(xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _number(value: float) -> str:
    return "not known" if value != value else f"{value:.3g}"
