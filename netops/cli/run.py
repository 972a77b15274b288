"""``netops run``: the end-to-end pipeline on this machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import click

from netops.cli import options
from netops.cli.output import note, print_json, print_rows, progress_bars
from netops.errors import UsageError
from netops.workflows.records.run_summary import RunSummary

#: Begins the run.
Start: TypeAlias = Callable[[], RunSummary]


@click.command("run")
@options.name
@options.config
@options.overrides
@options.telemetry
@options.incidents
@options.logs
@options.log_format
@options.events
@options.horizon
@click.option("--split", type=click.Choice(["time", "device"]), help="How to split off the test data.")
@click.option("--test", multiple=True, metavar="PATH", help="Telemetry to test on, instead of a split.")
@click.option("--test-incidents", type=options.PATH, help="CSV of the incidents of --test.")
@options.workers
@options.scheduler
@options.trials
@options.budget
@click.option("--resume", metavar="RUN", help="Resume a failed run at the stage that failed.")
@options.common
def command(as_json: bool, resume: str | None, **given: Any) -> None:
    """Run the pipeline: telemetry, features, training, selection, deployment.

    Without --telemetry, the samples are those of --logs; without both, a network is simulated.
    """
    if resume:
        if extra := [key for key, value in given.items() if value]:
            option = {"overrides": "set"}.get(extra[0], extra[0].replace("_", "-"))
            raise UsageError(f"--resume uses the settings of that run; remove --{option}")
        start = _resumed_run(resume)
    else:
        start = _new_run(**given)
    with progress_bars():
        summary = start()
    if as_json:
        print_json(summary)
    else:
        _print(summary)


def _resumed_run(run_id: str) -> Start:
    from netops.workflows.run import resume

    return lambda: resume(run_id)


def _new_run(
    name: str | None,
    config: Path | None,
    overrides: tuple[str, ...],
    telemetry: tuple[str, ...],
    incidents: Path | None,
    logs: tuple[Path, ...],
    log_format: str | None,
    events: tuple[Path, ...],
    test: tuple[str, ...],
    test_incidents: Path | None,
    workers: int | None,
    scheduler: str | None,
    horizon: int | None,
    split: str | None,
    trials: int | None,
    budget: int | None,
) -> Start:
    from netops.workflows.settings import read_settings

    _reject_incomplete(telemetry, logs, incidents, test, test_incidents)
    given = options.as_settings(horizon, split, trials, budget) + options.compute_settings(workers, scheduler)
    chosen = read_settings(config, [*overrides, *given, *options.log_settings(logs, log_format, events)])
    options.must_exist(*telemetry, *test, incidents, test_incidents, *logs, *events)
    options.must_be_telemetry(telemetry, test, settings=chosen)

    from netops.workflows.run import Request, run

    sources, tests = options.paths(telemetry), options.paths(test)
    request = Request(
        name=name or (options.stem(str((*sources, *logs)[0])) if sources or logs else "demo"),
        settings=chosen,
        telemetry=sources,
        incidents=incidents and incidents.resolve(),
        test=tests,
        test_incidents=test_incidents and test_incidents.resolve(),
    )
    return lambda: run(request)


def _reject_incomplete(
    telemetry: object, logs: object, incidents: object, test: object, test_incidents: object
) -> None:
    for option, value, required, present in (
        ("--incidents", incidents, "--telemetry or --logs", telemetry or logs),
        ("--test", test, "--telemetry", telemetry),
        ("--test-incidents", test_incidents, "--test", test),
    ):
        if value and not present:
            raise UsageError(f"{option} requires {required}")


def _print(summary: RunSummary) -> None:
    telemetry = summary["telemetry"]
    click.echo(
        f"{summary['name']}: {telemetry['samples']:,} samples of {telemetry['devices']} devices, "
        f"{telemetry['incidents']} incidents; horizon {telemetry['horizon_seconds']:.0f} s"
    )
    _print_figures(summary)
    chosen, mark, why = (summary["reason"] or "").partition("no champion: ")
    click.echo(f"best: {summary['best']}; {chosen.rstrip('; ')}")
    if mark:
        click.echo(mark + why)
    for warning in summary["warnings"]:
        note(f"warn: {warning}")
    note(f"{summary['seconds']:.1f} s, peak memory {summary['peak_rss_mb']:,.0f} MB, run {summary['run_id']}")
    click.echo(summary["report"])


def _print_figures(summary: RunSummary) -> None:
    """Print the figures that there are: without labels, none depends on incidents."""
    found = summary["models"] | summary["baselines"]
    rows = [{"model": name, **figures} for name, figures in found.items()]
    columns = ["average_precision", "base_rate", "roc_auc", "event_recall", "false_alarms_per_device_day"]
    columns += ["median_lead_seconds", "fit_seconds"]
    if not any(row.get("average_precision") is not None for row in rows):
        rows = [row for row in rows if row["model"] in summary["models"]]
        columns = ["alerts_per_device_day", "threshold", "fit_seconds"]
    print_rows(rows, ["model", *columns], as_json=False)
