"""The summary of a run, from the logged results of its steps."""

from collections.abc import Mapping

from netops.json_types import Json, JsonDict
from netops.models.deviations import DEVIATIONS
from netops.models.vote import VOTE
from netops.tracking.records import RunRecord
from netops.tracking.results import results_of
from netops.workflows.records.run_summary import RunSummary, StageSummary
from netops.workflows.records.runs import find, run_folder, seconds_of, steps_of
from netops.workflows.records.states import state_of_run
from netops.workflows.records.steps import family_of

FIGURES = (
    "version",
    "average_precision",
    "roc_auc",
    "base_rate",
    "event_recall",
    "false_alarms_per_device_day",
    "median_lead_seconds",
    "threshold",
    "fit_seconds",
)
_TELEMETRY = ("samples", "devices", "metrics", "incidents", "interval_seconds", "windows", "horizon_seconds")


def summarise(
    run_id: str,
    seconds: float | None = None,
    peak_rss_mb: float | None = None,
    record: RunRecord | None = None,
) -> RunSummary:
    """Summarize the result of a run.

    Parameters
    ----------
    run_id : str
        The run of a pipeline.
    seconds, peak_rss_mb : float, optional
        Measured around the run; None if not measured.
    record : dict, optional
        The record of the run, if it has been read.

    Returns
    -------
    RunSummary
        As printed by ``netops run --json``; missing stages and metrics are None.
    """
    record = record or find(run_id)
    steps = {step["metadata"]["name"]: step for step in steps_of(run_id)}
    results = {name: results_of(step) for name, step in steps.items()}
    selection, deployment = results.get("select", {}), results.get("deploy", {})
    return {
        "run_id": run_id,
        "state": state_of_run(record),
        "name": record["spec"]["parameters"].get("name"),
        "report": _text(selection, "report") or str(run_folder(run_id) / "report.html"),
        "seconds": seconds,
        "peak_rss_mb": peak_rss_mb,
        "telemetry": _telemetry(results),
        "stages": _stages(steps),
        "models": {
            family: figures_of(result)
            for name, result in results.items()
            if (family := family_of(name)) and result.get("trained") != "false"
        }
        | ({VOTE: figures_of(selection[VOTE])} if VOTE in selection else {})
        | ({DEVIATIONS: _unlabelled(selection[DEVIATIONS])} if DEVIATIONS in selection else {}),
        "baselines": {
            "static_threshold": figures_of(selection.get("baseline")),
            "clock_only": figures_of(selection.get("clock")),
            **({DEVIATIONS: figures_of(selection["without_labels"])} if "without_labels" in selection else {}),
        },
        "best": _text(selection, "best"),
        "champion": deployment.get("champion", selection.get("champion")),
        "promoted": _promoted(selection, deployment),
        "reason": _reason(selection, deployment),
        "warnings": _texts(selection, "warnings"),
    }


def _promoted(selection: JsonDict, deployment: JsonDict) -> bool | None:
    """Return whether the run has promoted a model: recorded by deployment, by selection in older versions."""
    if not selection:
        return None
    last = selection if "compared_with" not in selection else deployment
    return bool(last.get("promoted") == "true")


def _reason(selection: JsonDict, deployment: JsonDict) -> str | None:
    reason = _text(selection, "reason")
    if deployment.get("promoted") == "false":
        return f"{reason}; not put in service: {deployment.get('reason')}"
    return reason


def figures_of(result: Json) -> JsonDict:
    """Extract the metrics of a model or baseline from the results of a step; unknown ones are None."""
    return {key: result.get(key) if isinstance(result, Mapping) else None for key in FIGURES}


def _unlabelled(result: Json) -> JsonDict:
    """Extract the figures of a model without labels: those of incidents are None."""
    rate = result.get("alerts_per_device_day") if isinstance(result, Mapping) else None
    return figures_of(result) | {"alerts_per_device_day": rate}


def _text(results: JsonDict, key: str) -> str | None:
    value = results.get(key)
    return None if value is None else str(value)


def _texts(results: JsonDict, key: str) -> list[str]:
    values = results.get(key)
    return list(map(str, values)) if isinstance(values, list) else []


def _telemetry(results: dict[str, JsonDict]) -> JsonDict:
    known = results.get("generate") or results.get("ingest") or {}
    known = known | results.get("features", {}) | {"samples": known.get("rows")}
    return {key: known.get(key) for key in _TELEMETRY}


def _stages(steps: dict[str, RunRecord]) -> dict[str, StageSummary]:
    stages: dict[str, list[RunRecord]] = {}
    for name, step in steps.items():
        stages.setdefault(name.split("-")[0], []).append(step)
    return {stage: _stage(runs) for stage, runs in stages.items()}


def _stage(runs: list[RunRecord]) -> StageSummary:
    """Summarize the runs of one stage; trainings run concurrently, so the longest one gives the duration."""
    rows = [results_of(run).get("rows") for run in runs]
    return {
        "seconds": round(max(seconds_of(run) for run in runs), 3),
        "rows": max((r for r in rows if isinstance(r, int)), default=None),
    }
