"""Runs and models for the pages, from MLRun's records.

Importing MLRun takes seconds, and the fleet pages do not need it: it is imported on first use, or earlier by
:meth:`Records.warm`. All calls run in one thread, as the embedded database requires.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypedDict, TypeVar

from netops import registry
from netops.dashboard.graph import Document, Graph, graph_of
from netops.serving.shadow.report import ShadowReport
from netops.tracking.records import RunRecord
from netops.workflows.project import connect
from netops.workflows.records import step_records
from netops.workflows.records.run_summary import RunDescription
from netops.workflows.records.runs import describe, find, run_folder, steps_of, workflows

P = ParamSpec("P")
Result = TypeVar("Result")

#: Maximum runs listed, and bytes of the end of a log that are shown.
LISTED, LOG_BYTES = 100, 200_000
#: Maximum promotions whose reasons are looked up.
EXPLAINED = 20
#: Metrics of a model in display order: key and title.
FIGURES = {
    "average_precision": "average precision",
    "roc_auc": "ROC AUC",
    "event_recall": "event recall",
    "false_alarms_per_device_day": "false alarms / device-day",
    "median_lead_seconds": "median lead",
    "threshold": "threshold",
}


class Version(TypedDict):
    """A version of a model, and its metrics."""

    version: str
    family: str
    created: str
    champion: bool
    shadow: bool
    run: str
    path: str
    average_precision: float | None
    roc_auc: float | None
    event_recall: float | None
    false_alarms_per_device_day: float | None
    median_lead_seconds: float | None
    threshold: float | None


class ShadowRows(TypedDict):
    """The shadow of a champion, its report, and a row for each of the two."""

    version: str
    report: ShadowReport
    rows: list[dict[str, object]]


class Models(TypedDict):
    """The networks with models, and the models of one of them."""

    networks: list[str]
    network: str
    versions: list[Version]
    history: list[dict[str, str]]
    shadow: ShadowRows | None


class Records:
    """Reads runs and models in a thread."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="records")
        self._warm: Future[None] = Future()

    async def query(self, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Run a function of this module in the thread of the records."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(function, *args, **kwargs))

    @property
    def ready(self) -> bool:
        """Whether MLRun has been imported."""
        return self._warm.done()

    def warm(self) -> None:
        """Import MLRun in the background."""
        self._warm = self._pool.submit(_connect)

    def close(self) -> None:
        """Stop the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _connect() -> None:
    connect()


def runs() -> list[Document]:
    """Return runs of pipelines, newest first."""
    _connect()

    return [_with_start(describe, run) for run in workflows()[:LISTED]]


def _with_start(describe: "Callable[[RunRecord], RunDescription]", run: RunRecord) -> Document:
    return {**describe(run)} | {"started_at": str(run["status"].get("start_time", ""))}


def run(run_id: str) -> tuple[Document, Graph]:
    """Return a run and the graph of its steps.

    Raises
    ------
    UsageError
        If the run does not exist.
    """
    _connect()

    record = find(run_id)
    description = _with_start(describe, record)
    steps = steps_of(description["run_id"])
    expected: list[RunRecord] = []
    if description["state"] in ("running", "pending", "created"):
        ended = (
            other
            for other in workflows()
            if describe(other)["workflow"] == description["workflow"] and _completed(other)
        )
        earlier = next(ended, None)
        expected = steps_of(earlier["metadata"]["uid"]) if earlier else []
    report = _report(description["run_id"], steps)
    return description | {"report": report is not None}, graph_of(steps, expected, describe)


def _completed(run: RunRecord) -> bool:
    return bool(run["status"]["state"] == "completed")


def log_of(uid: str) -> str:
    """Return the end of a step's log."""
    _connect()
    return step_records.log_of(uid)[-LOG_BYTES:]


def picture(uid: str, key: str) -> bytes | None:
    """Return a PNG that a step has logged, if its file is on this machine."""
    _connect()
    path = step_records.artifact_path(uid, key)
    return path.read_bytes() if path and path.suffix == ".png" and path.is_file() else None


def report(run_id: str) -> bytes | None:
    """Return the HTML report of a run."""
    _connect()

    uid = find(run_id)["metadata"]["uid"]
    path = _report(uid, steps_of(uid))
    return path.read_bytes() if path else None


def _report(run_id: str, steps: list[RunRecord]) -> Path | None:

    reported = [(step["status"].get("results") or {}).get("report") for step in steps]
    paths = [Path(str(path)) for path in reported if path] + [run_folder(run_id) / "report.html"]
    return next((path for path in paths if path.suffix == ".html" and path.is_file()), None)


def models(network: str | None) -> Models:
    """Return the networks with models, and the versions, champion and promotions of one network."""
    _connect()
    every = registry.versions()
    networks = sorted({model.network for model in every})
    chosen = network or ("demo" if "demo" in networks else networks[0] if networks else "demo")
    return {
        "networks": networks,
        "network": chosen,
        "versions": [_version(model) for model in every if model.network == chosen],
        "history": _with_reasons(registry.history(chosen), every),
        "shadow": _shadow(chosen, every),
    }


def _shadow(network: str, versions: list[registry.Model]) -> ShadowRows | None:
    """Return the report of the shadow; None if there is none."""
    # Late: loads numba (0.2 s), which the fleet pages do not need.
    from netops.serving.shadow.scoring import read_report

    running = next((model for model in versions if model.network == network and model.shadow), None)
    if running is None:
        return None
    report: ShadowReport = {"failure": None, "judged": None, "samples": 0}
    report |= read_report(network, running.version) or {}
    evaluated, alerts = report["judged"], report["alerts"] if report["samples"] else {}
    rows = [{"role": role, **counts, **(evaluated[role] if evaluated else {})} for role, counts in alerts.items()]
    return {"version": running.version, "report": report, "rows": rows}


def _with_reasons(history: list[dict[str, str]], versions: list[registry.Model]) -> list[dict[str, str]]:
    """Return promotions with their reasons, if the training run of the version decided on it."""
    runs = {model.version: model.tree for model in versions}
    promotions = []
    for index, entry in enumerate(history):
        run = runs.get(entry["version"], "") if index < EXPLAINED else ""
        results: list[Document] = [
            {**(step["status"].get("results") or {})} for step in (steps_of(run, "select") if run else [])
        ]
        chosen = [found for found in results if (found.get("champion") or {}).get("version") == entry["version"]]
        promotions.append(entry | {"reason": str(chosen[-1].get("reason", "")) if chosen else ""})
    return promotions


def _version(model: registry.Model) -> Version:
    return {
        "version": model.version,
        "family": model.family,
        "created": model.created,
        "champion": model.champion,
        "shadow": model.shadow,
        "run": model.tree,
        "path": model.path,
        "average_precision": model.metrics.get("average_precision"),
        "roc_auc": model.metrics.get("roc_auc"),
        "event_recall": model.metrics.get("event_recall"),
        "false_alarms_per_device_day": model.metrics.get("false_alarms_per_device_day"),
        "median_lead_seconds": model.metrics.get("median_lead_seconds"),
        "threshold": model.metrics.get("threshold"),
    }
