"""Write a backtest as an HTML file, with the figures of the run report."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from netops.backtest.backtest import Backtest
from netops.errors import NetopsError
from netops.evaluation.report.content import usual_ranges
from netops.evaluation.report.episodes import FALSE_ALARM, MISS, WARNED, Episode, episodes_among
from netops.evaluation.report.figures import false_alarms_figure, series_of
from netops.evaluation.report.importance import metric_of
from netops.evaluation.report.matched_alerts import MatchedAlerts
from netops.evaluation.report.telemetry_figure import telemetry_figure
from netops.evaluation.report.words import counted, lasting, spread
from netops.evaluation.report.write import render
from netops.files import write_text
from netops.serving.decode.times import iso
from netops.serving.engine.samples import Reason

TEMPLATE = "backtest.html.j2"
#: Maximum number of metrics drawn per episode.
_MAX_METRICS = 4


def write_page(path: Path, result: Backtest, budget: float) -> Path:
    """Write a backtest as a self-contained HTML file.

    Parameters
    ----------
    path : Path
        The file; it is written atomically.
    result : Backtest
    budget : float
        Alert budget: false alarms per device-day.

    Raises
    ------
    NetopsError
        If no sample is counted.
    """
    if result.evaluation is None:
        raise NetopsError(f"{path}: not written, because no sample is counted")
    family = result.card.family
    content = {
        "result": result,
        "report": result.to_dict(),
        "figures": result.evaluation.figures,
        "intervals": result.evaluation.intervals,
        "curve": false_alarms_figure({family: result.evaluation}, series_of([family]), budget),
        "episodes": _episodes(result),
        "spread": spread,
        "counted": counted,
        "lasting": lasting,
    }
    write_text(path, render(content, TEMPLATE, Path(__file__).parent))
    return path


def _episodes(result: Backtest) -> dict[str, list[dict[str, object]]]:
    """Return the figures of counted episodes, selected like those of the run report."""
    history, rows = result.history, result.counted
    matched = MatchedAlerts.of(history.evaluation_split(rows), result.replayed.risks[rows], result.policy)
    reasons = {(one.device, one.start): one.reasons for one in result.incidents}
    reasons |= {(one.device, one.opened): one.reasons for one in result.false_alarms}
    normal, interval = usual_ranges(result.card), result.card.interval_seconds
    shown: dict[str, list[dict[str, object]]] = {WARNED: [], MISS: [], FALSE_ALARM: []}
    for number, episode in enumerate(episodes_among(history.sequences, matched)):
        causes = reasons.get((episode.device, iso(episode.at)), ())
        drawn = telemetry_figure(
            _with_telemetry(result, episode, causes), result.policy.threshold, normal, f"episode-{number}", interval
        )
        shown[episode.kind].append({"episode": episode, "figure": drawn, "reasons": causes})
    return shown


def _with_telemetry(result: Backtest, episode: Episode, reasons: Iterable[Reason]) -> Episode:
    """Return the episode with its risks and metrics, those of the reasons first."""
    metrics = result.replayed.model.spec.metrics
    wanted = list(dict.fromkeys([*(metric_of(reason.feature, metrics) for reason in reasons), *metrics]))
    drawn = [name for name in metrics if name in wanted[:_MAX_METRICS]]
    rows, history = episode.rows, result.history
    values = {name: history.values[rows, metrics.index(name)] for name in drawn}
    risks = result.replayed.risks[rows].copy()
    risks[history.inside[rows]] = float("nan")
    return replace(episode, times=history.sequences.timestamps[rows], metrics=values, risks=risks)
