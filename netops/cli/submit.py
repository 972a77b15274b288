"""``netops submit``: run a workflow on the cluster."""

from pathlib import Path

import click

from netops.cli import options
from netops.cli.output import note, print_json, progress_bars


@click.command("submit")
@click.option("--workflow", default="main", show_default=True, help="main, retrain or score.")
@click.option("--engine", type=click.Choice(["kfp", "remote"]), default="kfp", show_default=True,
              help="kfp: compiled here; remote: by the service, from the project's source.")  # fmt: skip
@click.option("--telemetry", multiple=True, metavar="SOURCE", help="Source for retrain and score.")
@click.option("--watch", is_flag=True, help="Wait for the run to end; the exit code is the run's.")
@options.name
@options.config
@options.overrides
@options.common
def command(
    workflow: str,
    engine: str,
    telemetry: tuple[str, ...],
    watch: bool,
    name: str | None,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run a workflow on the cluster of the MLRun service that MLRUN_DBPATH names."""
    from netops.errors import UsageError
    from netops.workflows.arguments import FROM_A_SOURCE, workflow_arguments
    from netops.workflows.settings import read_settings

    if workflow in FROM_A_SOURCE and not telemetry:
        raise UsageError(f"--workflow {workflow} needs --telemetry SOURCE")
    arguments = workflow_arguments(workflow, name, read_settings(config, overrides, cluster=True), telemetry)

    from netops.cluster import submit
    from netops.cluster import watch as run_watcher

    with progress_bars():
        run_id, page = submit.submit(workflow, arguments, engine)
        if not as_json:
            click.echo(run_id)
            note(page or "the service has no web page for this run; see: netops runs list")
        state = run_watcher.watch(run_id) if watch else "submitted"
    if as_json:
        print_json({"run_id": run_id, "url": page or None, "workflow": workflow, "state": state})
