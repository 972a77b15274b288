"""``netops schedule``: run workflows periodically."""

from pathlib import Path

import click

from netops.cli import options
from netops.cli.output import note, print_json, print_rows, progress_bars
from netops.config.durations import MINUTE

_COLUMNS = ["name", "network", "workflow", "cron", "next", "last_run", "last_state"]


@click.group("schedule")
def command() -> None:
    """Add, list and remove schedules, and run them.

    An MLRun service stores and runs the schedules; without one, `netops schedule start` runs them.
    """


@command.command("add")
@click.option(
    "--cron", "expression", required=True, metavar="'0 3 * * *'", help="When: minute to day of week, UTC."
)
@click.option("--workflow", default="retrain", show_default=True, help="main, retrain or score.")
@click.option(
    "--telemetry", multiple=True, metavar="SOURCE", help="Default: the simulated network, continued in time."
)
@click.option("--as", "own_name", metavar="NAME", help="Name of the schedule; default: <network>-<workflow>.")
@click.option("--retries", type=click.IntRange(0), default=3, show_default=True, help="Retries after a failure.")
@click.option(
    "--backoff", type=options.DURATION, default=MINUTE, show_default="1m", help="Wait before the first retry."
)
@options.name
@options.config
@options.overrides
@options.common
def add(
    expression: str,
    workflow: str,
    telemetry: tuple[str, ...],
    own_name: str | None,
    retries: int,
    backoff: int,
    name: str | None,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Add a schedule; later changes of the configuration do not affect it."""
    from netops.tracking.install import names_service
    from netops.workflows.settings import read_settings

    settings = read_settings(config, overrides, cluster=names_service())
    options.must_exist(*telemetry)
    from netops.scheduling import schedules

    schedule = schedules.add(
        expression,
        workflow,
        name or "demo",
        settings,
        options.paths(telemetry),
        name=own_name,
        retries=retries,
        backoff=backoff,
    )
    if as_json:
        print_json(schedule)
    else:
        click.echo(f"{schedule['name']}: first run due {schedule['next']} UTC")


@command.command("list")
@options.common
def list_(as_json: bool) -> None:
    """List schedules."""
    from netops.scheduling import schedules

    print_rows(schedules.listed(), _COLUMNS, as_json)


@command.command("remove")
@click.argument("name")
@options.common
def remove(name: str, as_json: bool) -> None:
    """Remove a schedule."""
    from netops.scheduling import schedules

    schedules.remove(name)
    if as_json:
        print_json({"removed": name})
    else:
        click.echo(f"removed {name}")


@command.command("start")
@click.option("--once", is_flag=True, help="Run the schedules that are due now, then exit.")
@options.common
def start(once: bool, as_json: bool) -> None:
    """Run the schedules of this machine, one run at a time, until stopped."""
    from netops.scheduling import schedules
    from netops.workflows.signals import stop_on_terminate

    stop_on_terminate()
    if not once:
        note("running the schedules of this machine (Ctrl-C stops it)")
    with progress_bars():
        due = schedules.start(once)
    if as_json:
        print_json({"next": None if due is None else schedules.when(due)})
    else:
        click.echo(f"next due: {schedules.when(due)}")
