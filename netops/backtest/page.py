"""A backtest as one HTML file, with the drawings of the run report."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from netops.backtest.backtest import Backtest
from netops.errors import NetopsError
from netops.evaluation.report.content import usual_ranges
from netops.evaluation.report.episodes import FALSE_ALARM, MISS, WARNED, Episode, episodes_among
from netops.evaluation.report.figures import false_alarms_figure, series_of
from netops.evaluation.report.importance import metric_of
from netops.evaluation.report.telemetry_figure import telemetry_figure
from netops.evaluation.report.verdict import Verdict
from netops.evaluation.report.words import counted, lasting, spread
from netops.evaluation.report.write import render
from netops.files import write_text
from netops.serving.decode.times import iso
from netops.serving.engine.samples import Reason

TEMPLATE = "backtest.html.j2"
#: Metrics drawn of an episode, where the telemetry has more.
_MOST_METRICS = 4


def write_page(path: Path, done: Backtest, budget: float) -> Path:
    """Write a backtest as one HTML file that needs nothing else.

    Parameters
    ----------
    path : Path
        The file; it appears whole or not at all.
    done : Backtest
    budget : float
        False alarms per device-day that are bearable.

    Raises
    ------
    NetopsError
        If nothing counted: there is nothing to draw.
    """
    if done.evaluation is None:
        raise NetopsError(f"{path}: not written: nothing of the telemetry is counted, so there is nothing to show")
    family = done.card.family
    content = {
        "done": done,
        "told": done.to_dict(),
        "figures": done.evaluation.figures,
        "intervals": done.evaluation.intervals,
        "curve": false_alarms_figure({family: done.evaluation}, series_of([family]), budget),
        "episodes": _episodes(done),
        "spread": spread,
        "counted": counted,
        "lasting": lasting,
    }
    write_text(path, render(content, TEMPLATE, Path(__file__).parent))
    return path


def _episodes(done: Backtest) -> dict[str, list[dict[str, Any]]]:
    """Draw what counts, by the rule of the run report: of many, the two ends and the middle."""
    history, rows = done.history, done.counted
    verdict = Verdict.of(history.part(rows), done.replayed.risks[rows], done.policy)
    reasons = {(one.device, one.start): one.reasons for one in done.incidents}
    reasons |= {(one.device, one.opened): one.reasons for one in done.false_alarms}
    usual, interval = usual_ranges(done.card), done.card.interval_seconds
    shown: dict[str, list[dict[str, Any]]] = {WARNED: [], MISS: [], FALSE_ALARM: []}
    for number, episode in enumerate(episodes_among(history.sequences, verdict)):
        why = reasons.get((episode.device, iso(episode.at)), ())
        drawn = telemetry_figure(
            _with_telemetry(done, episode, why), done.policy.threshold, usual, f"episode-{number}", interval
        )
        shown[episode.kind].append({"episode": episode, "figure": drawn, "reasons": why})
    return shown


def _with_telemetry(done: Backtest, episode: Episode, why: Iterable[Reason]) -> Episode:
    """Add the samples: risks, and the metrics of the reasons before others."""
    metrics = done.replayed.model.spec.metrics
    wanted = list(dict.fromkeys([*(metric_of(reason.feature, metrics) for reason in why), *metrics]))
    drawn = [name for name in metrics if name in wanted[:_MOST_METRICS]]
    rows, history = episode.rows, done.history
    values = {name: history.values[rows, metrics.index(name)] for name in drawn}
    risks = done.replayed.risks[rows].copy()
    risks[history.inside[rows]] = float("nan")
    return replace(episode, times=history.sequences.timestamps[rows], metrics=values, risks=risks)
