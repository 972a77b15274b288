"""Runs and models, read off MLRun's records for the pages that show them.

MLRun takes seconds to import, and the pages of the fleet do not need it: it is imported by the first who asks, or
ahead by :meth:`Records.warm`. All calls come from one thread, as the embedded database has it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from netops.dashboard.graph import Graph, graph_of

Document = dict[str, Any]
Result = TypeVar("Result")

#: Runs that are listed, and how much of a log's end is shown.
LISTED, LOG_BYTES = 100, 200_000
#: Promotions whose reasons are looked up.
EXPLAINED = 20
#: Figures of a model in the order in which they are shown: key and what people call it.
FIGURES = {
    "average_precision": "average precision",
    "roc_auc": "ROC AUC",
    "event_recall": "event recall",
    "false_alarms_per_device_day": "false alarms / device-day",
    "median_lead_seconds": "median lead",
    "threshold": "threshold",
}


class Records:
    """Reads runs and models beside the event loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="records")
        self._warm: Future[None] = Future()

    async def ask(self, question: Callable[..., Result], *args: Any) -> Result:
        """Have a question of this module answered in the thread of the records."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(question, *args))

    @property
    def ready(self) -> bool:
        """Whether MLRun has been imported, so that answers come at once."""
        return self._warm.done()

    def warm(self) -> None:
        """Import MLRun ahead."""
        self._warm = self._pool.submit(_connect)

    def close(self) -> None:
        """Let the thread end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _connect() -> None:
    from netops.workflows.project import connect

    connect()
    import netops.workflows.records.runs  # noqa: F401 - it brings MLRun


def runs() -> list[Document]:
    """List runs of pipelines, the newest first."""
    _connect()
    from netops.workflows.records.runs import describe, workflows

    return [_with_start(describe, run) for run in workflows()[:LISTED]]


def _with_start(describe: Callable[[Document], Document], run: Document) -> Document:
    return describe(run) | {"started_at": str(run["status"].get("start_time", ""))}


def run(run_id: str) -> tuple[Document, Graph]:
    """Give one run and the graph of its steps.

    Raises
    ------
    UsageError
        If there is none.
    """
    _connect()
    from netops.workflows.records.runs import describe, find, steps_of, workflows

    record = find(run_id)
    told = _with_start(describe, record)
    steps = steps_of(told["run_id"])
    expected: list[Document] = []
    if told["state"] in ("running", "pending", "created"):
        ended = (
            other for other in workflows() if describe(other)["workflow"] == told["workflow"] and _completed(other)
        )
        earlier = next(ended, None)
        expected = steps_of(earlier["metadata"]["uid"]) if earlier else []
    report = _report(told["run_id"], steps)
    return told | {"report": report is not None}, graph_of(steps, expected, describe)


def _completed(run: Document) -> bool:
    return bool(run["status"]["state"] == "completed")


def log_of(uid: str) -> str:
    """Give the end of a step's log."""
    _connect()
    from netops.workflows.records.step_records import log_of

    return log_of(uid)[-LOG_BYTES:]


def picture(uid: str, key: str) -> bytes | None:
    """Give a PNG that a step has logged, where its file is on this machine."""
    _connect()
    from netops.workflows.records.step_records import artifact_path

    path = artifact_path(uid, key)
    return path.read_bytes() if path and path.suffix == ".png" and path.is_file() else None


def report(run_id: str) -> bytes | None:
    """Give the HTML report of a run."""
    _connect()
    from netops.workflows.records.runs import find, steps_of

    uid = find(run_id)["metadata"]["uid"]
    path = _report(uid, steps_of(uid))
    return path.read_bytes() if path else None


def _report(run_id: str, steps: list[Document]) -> Path | None:
    from netops.workflows.records.runs import run_folder

    told = [step["status"].get("results", {}).get("report") for step in steps]
    paths = [Path(path) for path in told if path] + [run_folder(run_id) / "report.html"]
    return next((path for path in paths if path.suffix == ".html" and path.is_file()), None)


def models(network: str | None) -> Document:
    """Give the networks that have models, and of one of them: its versions, its champion, and its promotions."""
    _connect()
    from netops import registry

    every = registry.versions()
    networks = sorted({model.network for model in every})
    chosen = network or ("demo" if "demo" in networks else networks[0] if networks else "demo")
    return {
        "networks": networks,
        "network": chosen,
        "versions": [_version(model) for model in every if model.network == chosen],
        "history": _told(registry.history(chosen), every),
        "shadow": _shadow(chosen, every),
    }


def _shadow(network: str, versions: list[Any]) -> Document | None:
    """Tell how the challenger in the champion's shadow does; None where there is none."""
    from netops.serving.shadow.scoring import read_report

    running = next((model for model in versions if model.network == network and model.shadow), None)
    if running is None:
        return None
    report = {"failure": None, "judged": None, "samples": 0} | (read_report(network, running.version) or {})
    judged = report["judged"] or {}
    rows = [
        {"role": role, **report["alerts"][role], **judged.get(role, {})}
        for role in ("champion", "challenger")
        if report["samples"]
    ]
    return {"version": running.version, "report": report, "rows": rows}


def _told(history: list[dict[str, str]], versions: list[Any]) -> list[Document]:
    """Add to promotions why they came about, where the run that trained the version decided on it."""
    from netops.workflows.records.runs import steps_of

    runs = {model.version: model.tree for model in versions}
    told = []
    for index, entry in enumerate(history):
        run = runs.get(entry["version"], "") if index < EXPLAINED else ""
        results = [step["status"].get("results") or {} for step in (steps_of(run, "select") if run else [])]
        chosen = [found for found in results if (found.get("champion") or {}).get("version") == entry["version"]]
        told.append(entry | {"reason": str(chosen[-1].get("reason", "")) if chosen else ""})
    return told


def _version(model: Any) -> Document:
    figures = {key: model.metrics.get(key) for key in FIGURES}
    return {
        "version": model.version,
        "family": model.family,
        "created": model.created,
        "champion": model.champion,
        "shadow": model.shadow,
        "run": model.tree,
        "path": model.path,
        **figures,
    }
