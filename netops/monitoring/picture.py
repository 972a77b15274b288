"""Heat map of the drift: features by windows."""

import io
from datetime import UTC, datetime

import numpy as np

from netops.monitoring.report import Report

#: Maximum number of features drawn: those with the highest scores.
_MAX_FEATURES = 40
#: Upper end of the colour scale, as a multiple of the minimum score that is reported.
_MAX_COLOUR = 4.0


def drift_picture(report: Report) -> bytes:
    """Draw the drift score of each feature by window; a dot marks significant drift.

    Returns
    -------
    bytes
        PNG. Lightness increases evenly, so that the colours are readable with colour blindness and in print.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    names = _highest_scores(report)
    scores = np.array([report.scores[name] for name in names]).reshape(len(names), -1)
    found = np.array([report.found[name] for name in names]).reshape(len(names), -1)
    figure = Figure(figsize=(9.0, 1.8 + 0.19 * max(4, len(names))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_facecolor("#eeeeee")  # a window without a score
    image = axes.imshow(scores, cmap="cividis", norm=Normalize(0, _MAX_COLOUR), aspect="auto", interpolation="none")
    rows, columns = np.nonzero(found)
    axes.scatter(columns, rows, s=26, color="#D55E00", edgecolors="white", linewidths=0.7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    ticks = np.unique(np.linspace(0, len(report.ends) - 1, min(8, len(report.ends))).astype(int))
    axes.set_xticks(ticks, [f"{datetime.fromtimestamp(report.ends[t] / 1e9, UTC):%m-%d\n%H:%M}" for t in ticks])
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlabel("end of the window, UTC", fontsize=9)
    drifted = sum(finding.kind == "feature" for finding in report.drifted)
    title = f"{report.network}: {drifted} of {len(report.scores)} features have drifted (dots)"
    axes.set_title(title + (f"; the {len(names)} highest scores" if len(names) < len(report.scores) else ""),
                   fontsize=11, loc="left")  # fmt: skip
    bar = figure.colorbar(image, ax=axes, extend="max", shrink=0.9, pad=0.01)
    bar.set_label(f"{report.statistic}, as a multiple of the minimum reported score", fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _highest_scores(report: Report) -> list[str]:
    """Return the features with the highest scores, in the order of the model."""
    highest = {name: float(np.nanmax(s)) if np.isfinite(s).any() else 0.0 for name, s in report.scores.items()}
    chosen = set(sorted(highest, key=lambda name: -highest[name])[:_MAX_FEATURES])
    return [name for name in report.scores if name in chosen]
