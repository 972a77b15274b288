"""Writes the records of two runs, one done and one under way, and of a model, into a new home.

NETOPS_HOME=… python -m tests.dashboard.written

A run is under way as long as its process lives: it waits until its input is closed.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from netops.alerting.policy import AlertPolicy
from netops.config.paths import home
from tests.serving.models import make_model

DONE, GOING = "d0" * 16, "90" * 16
BEGUN = datetime(2026, 1, 5, tzinfo=UTC)
HOSTILE = '<img src=x onerror="document.title=1">'
#: Step → inputs, outputs, second of the beginning, seconds taken.
STEPS = {
    "generate": ((), "telemetry", 0, 17),
    "features": (("telemetry",), "features", 17, 4),
    "train-xgboost": (("features",), "xgboost", 21, 37),
    "train-sklearn": (("features",), "sklearn", 21, 47),
    "select": (("features", "xgboost", "sklearn"), "decision", 68, 6),
    "deploy": (("decision",), None, 74, 1),
}


def main() -> None:
    """Write them."""
    from netops.workflows.project import load_project

    load_project()
    import mlrun

    db = mlrun.get_run_db()
    for run, steps, state in ((DONE, list(STEPS), "completed"), (GOING, list(STEPS)[:2], "running")):
        labels = {"job-type": "workflow-runner", "kind": "local", "workflow": "main", "workflow-id": run}
        db.store_run(document("main", run, labels, {}, state, 0, 75), run, "netops")
        for name in steps:
            last = state if name == steps[-1] else "completed"
            db.store_run(step(run, name, last), uid_of(run, name), "netops")
            db.store_log(uid_of(run, name), "netops", f"{name} began\n{HOSTILE}\n{name} ended\n".encode())
    log_model()
    print("written", flush=True)
    sys.stdin.read()


def uid_of(run: str, name: str) -> str:
    return f"{run[:8]}{list(STEPS).index(name):024x}"


def step(run: str, name: str, state: str) -> dict:
    inputs, output, start, seconds = STEPS[name]
    found = document(name, uid_of(run, name), {"workflow": run, "kind": "local"}, {}, state, start, seconds)
    found["spec"]["inputs"] = {key: f"store://datasets/netops/{key}:latest@{run}^{key}" for key in inputs}
    if output and state == "completed":
        found["status"]["artifact_uris"] = {output: f"store://datasets/netops/{output}#0@{run}^{output}"}
    found["status"]["results"] = {"rows": 345_600, "note": HOSTILE, "average_precision": 0.876543}
    return found


def document(name: str, uid: str, labels: dict, params: dict, state: str, start: float, seconds: float) -> dict:
    times = {
        "start_time": BEGUN + timedelta(seconds=start),
        "last_update": BEGUN + timedelta(seconds=start + seconds),
    }
    if state == "completed":
        times["end_time"] = times["last_update"]
    return {
        "kind": "run",
        "metadata": {"name": name, "uid": uid, "iteration": 0, "project": "netops", "labels": labels},
        "spec": {"parameters": {"name": "demo", "settings": '{"fleet": {"devices": 40}}', **params}},
        "status": {"state": state, **{key: moment.isoformat() for key, moment in times.items()}},
    }


def log_model() -> None:
    import mlrun

    from netops import registry
    from netops.models.card import read_card

    for number, version in enumerate(("v1", "v2")):
        folder = make_model(Path(home()) / "made" / version, version, seed=number)
        context = mlrun.get_or_create_ctx(f"train-{version}", project="netops")
        figures = {"average_precision": 0.8 + number / 10, "event_recall": 0.75, "median_lead_seconds": 300.0}
        registry.log_model(context, "demo", folder, read_card(folder), figures)
        context.commit(completed=True)
    registry.prove("demo", "v1")
    registry.promote("demo", "v1", "the first")
    registry.put_in_shadow("demo", "v2")
    compare()


def compare() -> None:
    """Let the challenger warn of a failure that the champion does not see."""
    from netops.files import write_json
    from netops.serving.engine.devices import DeviceTable
    from netops.serving.folders import state_folder
    from netops.serving.shadow.comparison import Comparison
    from netops.serving.shadow.parts import report_of
    from netops.serving.shadow.scoring import report_path

    table, minute = DeviceTable(2), 60 * 10**9
    codes = table.assign(["leaf-1", "leaf-2"])
    policy = AlertPolicy(0.5, 2, 10 * minute)
    comparison = Comparison(("v1", "v2"), (policy, policy), 10 * minute)
    for tick in range(60):
        challenger = np.array([0.1, 0.9 if 20 <= tick < 30 else 0.1])
        failed = np.array([False, 26 <= tick < 32])
        times = np.full(2, tick * minute)
        comparison.add(table, codes, times, (np.full(2, 0.2), challenger), ~failed, failed)
    write_json(report_path(state_folder("demo"), "v2"), report_of([comparison.part(table)]))


if __name__ == "__main__":
    main()
