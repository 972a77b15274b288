"""``netops runs``: manage runs of the pipeline."""

import click

from netops.cli import options
from netops.cli.output import print_json, print_rows, print_text, progress_bars
from netops.json_types import JsonDict
from netops.workflows.records.run_summary import RunDescription


class ShownStep(RunDescription):
    """A step of a run, with the trials of its search."""

    iterations: list[JsonDict]


@click.group("runs")
def command() -> None:
    """List, show, cancel and resume runs of the pipeline."""


@command.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Maximum number of runs.")
@options.common
def list_(limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    from netops.workflows.project import connect

    connect()
    from netops.cluster.kubeflow import all_runs, described
    from netops.workflows.records.runs import describe

    rows = [describe(run) for run in described(all_runs()[:limit])]
    print_rows(rows, ["run_id", "name", "workflow", "state", "started", "seconds"], as_json)


@command.command("show")
@click.argument("run")
@options.common
def show(run: str, as_json: bool) -> None:
    """Show a run: its steps, their states and results."""
    from netops.workflows.project import connect

    connect()
    from netops.cluster.failures import shown
    from netops.cluster.kubeflow import find_run, pipeline_of
    from netops.workflows.records.runs import describe, steps_of
    from netops.workflows.records.summary import summarise

    record = find_run(run)
    uid = record["metadata"]["uid"]
    from netops.tracking.iterations import read_iterations

    pipeline = pipeline_of(record)
    runs = steps_of(pipeline or uid)
    steps: list[ShownStep] = [{**shown(step), "iterations": read_iterations(step)} for step in runs]
    described = describe(record)
    if pipeline and described["state"] == "error":
        from netops.cluster.watch import failed_launchers, look

        lines = failed_launchers(look(pipeline).get("graph") or {}, runs)
        described["error"] = "; ".join(lines) or described["error"]
    if as_json:
        print_json(
            {
                **summarise(uid, record=record),
                "steps": steps,
                "error": described["error"],
            }
        )
        return
    _print(described, steps)


@command.command("cancel")
@click.argument("run")
@options.common
def cancel(run: str, as_json: bool) -> None:
    """Cancel an active run; its process ends with exit code 130."""
    from netops.workflows.control import cancel as cancel_run

    message = cancel_run(run)
    if as_json:
        print_json({"run_id": run, "state": "canceled"})
    else:
        click.echo(message)


@command.command("retry")
@click.argument("run")
@options.common
def retry(run: str, as_json: bool) -> None:
    """Resume a failed or cancelled run; completed steps are not repeated."""
    from netops.workflows.control import retry as retry_run

    with progress_bars():
        done = retry_run(run)
    if as_json:
        print_json(done if isinstance(done, dict) else {"run_id": run, "state": "running"})
    else:
        click.echo(done if isinstance(done, str) else f"run {done['run_id']} {done['state']}: {done['reason']}")


def _print(run: RunDescription, steps: list[ShownStep]) -> None:
    click.echo(f"{run['run_id']}  network {run['name']}  {run['workflow']}  {run['state']}")
    if run["error"]:
        print_text(run["error"])
    rows = [{"step": step["workflow"], **step} for step in steps]
    print_rows(rows, ["step", "state", "started", "seconds", "error"], as_json=False)
    for step in steps:
        if trials := step["iterations"]:
            click.echo(f"\n{step['workflow']}: {len(trials)} iterations, the best marked *")
            rows = [{"": "*" if trial.pop("best") else " ", **trial} for trial in trials]
            print_rows(rows, list(rows[0]), as_json=False)
