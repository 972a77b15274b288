"""The picture of drift: features by windows."""

import io
from datetime import UTC, datetime

import numpy as np

from netops.monitoring.report import Report

#: Features that are drawn: those that moved furthest.
_MOST = 40
#: A colour says up to so many times the smallest move worth telling.
_BRIGHTEST = 4.0


def drift_picture(report: Report) -> bytes:
    """Draw how far each feature moved, window by window; a dot marks drift.

    Returns
    -------
    bytes
        PNG. The colours rise evenly in lightness, so that everybody, and a printer, can read them.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    names = _furthest(report)
    scores = np.array([report.scores[name] for name in names]).reshape(len(names), -1)
    found = np.array([report.found[name] for name in names]).reshape(len(names), -1)
    figure = Figure(figsize=(9.0, 1.8 + 0.19 * max(4, len(names))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_facecolor("#eeeeee")  # a window that says nothing
    image = axes.imshow(scores, cmap="cividis", norm=Normalize(0, _BRIGHTEST), aspect="auto", interpolation="none")
    rows, columns = np.nonzero(found)
    axes.scatter(columns, rows, s=26, color="#D55E00", edgecolors="white", linewidths=0.7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    ticks = np.unique(np.linspace(0, len(report.ends) - 1, min(8, len(report.ends))).astype(int))
    axes.set_xticks(ticks, [f"{datetime.fromtimestamp(report.ends[t] / 1e9, UTC):%m-%d\n%H:%M}" for t in ticks])
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlabel("end of the window, UTC", fontsize=9)
    drifted = sum(finding.kind == "feature" for finding in report.drifted)
    title = f"{report.network}: {drifted} of {len(report.scores)} features have drifted (dots)"
    axes.set_title(title + (f"; the {len(names)} that moved most" if len(names) < len(report.scores) else ""),
                   fontsize=11, loc="left")  # fmt: skip
    bar = figure.colorbar(image, ax=axes, extend="max", shrink=0.9, pad=0.01)
    bar.set_label(f"{report.statistic}, in units of the smallest move worth telling", fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _furthest(report: Report) -> list[str]:
    """Choose the features that moved furthest and keep them in the order of the model."""
    far = {name: float(np.nanmax(s)) if np.isfinite(s).any() else 0.0 for name, s in report.scores.items()}
    chosen = set(sorted(far, key=lambda name: -far[name])[:_MOST])
    return [name for name in report.scores if name in chosen]
