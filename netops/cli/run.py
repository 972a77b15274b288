"""``netops run``: the whole way, on this machine."""

from pathlib import Path
from typing import Any

import click

from netops.cli import options
from netops.cli.output import note, print_json, print_rows, progress_bars
from netops.errors import UsageError


@click.command("run")
@options.name
@options.config
@options.overrides
@options.telemetry
@options.incidents
@options.horizon
@click.option("--split", type=click.Choice(["time", "device"]), help="How to hold out the test part.")
@click.option("--test", multiple=True, metavar="PATH", help="Telemetry to test on, in place of a split.")
@click.option("--test-incidents", type=options.PATH, help="CSV of the incidents of --test.")
@options.workers
@options.scheduler
@options.trials
@options.budget
@click.option("--resume", metavar="RUN", help="Go on with a run that failed, from the stage that did.")
@options.common
def command(as_json: bool, resume: str | None, **asked: Any) -> None:
    """Run the whole way: telemetry, features, three model families, selection, deployment.

    Without --telemetry, a network is generated.
    """
    if resume:
        if given := [key for key, value in asked.items() if value]:
            option = {"overrides": "set"}.get(given[0], given[0].replace("_", "-"))
            raise UsageError(f"--resume continues with the settings of that run; leave out --{option}")
        work = _resumption(resume)
    else:
        work = _beginning(**asked)
    with progress_bars():
        summary = work()
    if as_json:
        print_json(summary)
    else:
        _print(summary)


def _resumption(run_id: str) -> Any:
    from netops.workflows.run import resume

    return lambda: resume(run_id)


def _beginning(
    name: str | None,
    config: Path | None,
    overrides: tuple[str, ...],
    telemetry: tuple[str, ...],
    incidents: Path | None,
    test: tuple[str, ...],
    test_incidents: Path | None,
    workers: int | None,
    scheduler: str | None,
    **settings: Any,
) -> Any:
    from netops.workflows.settings import read_settings

    _refuse_strays(telemetry, incidents, test, test_incidents)
    more: dict[str, Any] = {"features__workers": workers, "features__scheduler": scheduler}
    document = read_settings(config, [*overrides, *options.as_settings(**settings, **more)])
    options.must_exist(*telemetry, *test, incidents, test_incidents)
    options.must_be_telemetry(telemetry, test, settings=document)

    from netops.workflows.run import Request, run

    sources, tests = options.paths(telemetry), options.paths(test)
    request = Request(
        name=name or (options.stem(sources[0]) if sources else "demo"),
        settings=document,
        telemetry=sources,
        incidents=incidents and incidents.resolve(),
        test=tests,
        test_incidents=test_incidents and test_incidents.resolve(),
    )
    return lambda: run(request)


def _refuse_strays(telemetry: Any, incidents: Any, test: Any, test_incidents: Any) -> None:
    for option, value, needs, there in (
        ("--incidents", incidents, "--telemetry", telemetry),
        ("--test", test, "--telemetry", telemetry),
        ("--test-incidents", test_incidents, "--test", test),
    ):
        if value and not there:
            raise UsageError(f"{option} goes with {needs}")


def _print(summary: dict[str, Any]) -> None:
    told = summary["telemetry"]
    click.echo(
        f"{summary['name']}: {told['samples']:,} samples of {told['devices']} devices, "
        f"{told['incidents']} incidents; horizon {told['horizon_seconds']:.0f} s"
    )
    rows = [{"model": name, **figures} for name, figures in (summary["models"] | summary["baselines"]).items()]
    columns = ["model", "average_precision", "base_rate", "roc_auc", "event_recall"]
    print_rows(rows, [*columns, "false_alarms_per_device_day", "median_lead_seconds", "fit_seconds"], as_json=False)
    chosen, mark, why = summary["reason"].partition("no champion: ")
    click.echo(f"best: {summary['best']}; {chosen.rstrip('; ')}")
    if mark:
        click.echo(mark + why)
    for warning in summary["warnings"]:
        note(f"warn: {warning}")
    note(f"{summary['seconds']:.1f} s, peak memory {summary['peak_rss_mb']:,.0f} MB, run {summary['run_id']}")
    click.echo(summary["report"])
