"""``netops inspect``: describe telemetry before a run."""

import tempfile
from pathlib import Path

import click

from netops.cli import options
from netops.cli.output import note, print_json, progress_bars


@click.command("inspect")
@click.argument("telemetry", nargs=-1, required=True, metavar="PATH…")
@options.incidents
@options.logs
@options.log_format
@options.horizon
@click.option("--html", type=options.PATH, help="Also write an HTML report to this file.")
@options.config
@options.overrides
@options.common
def command(
    telemetry: tuple[str, ...],
    incidents: Path | None,
    logs: tuple[Path, ...],
    log_format: str | None,
    horizon: int | None,
    html: Path | None,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Report how telemetry would be read, what it contains, and which settings of a run would work.

    PATH is a file, a folder or an address, as for netops run --telemetry.
    """
    from netops.config.durations import format_duration
    from netops.workflows.settings import read_settings

    given = [f"training.horizon={format_duration(horizon)}"] if horizon else []
    given += options.log_settings(logs, log_format)
    settings = read_settings(config, [*overrides, *given])
    options.must_exist(*telemetry, incidents, *logs)

    from netops import progress
    from netops.inspection.content import inspect_telemetry

    arguments = [word for value in overrides for word in ("--set", value)]
    arguments += ["--config", str(config)] if config else []
    arguments += [word for path in logs for word in ("--logs", str(path))]
    arguments += ["--log-format", log_format] if log_format else []
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch:
        with progress_bars():
            found = inspect_telemetry(
                options.paths(telemetry),
                Path(scratch),
                settings.telemetry,
                settings.training,
                incidents and incidents.resolve(),
                arguments,
                progress.report,
                [Path(path).expanduser() for path in settings.logs.paths],
                settings.logs,
            )
        if html is not None:
            from netops.inspection.page import write_page

            note(f"written: {write_page(html, found)}")
        if as_json:
            print_json(found.to_dict())
        else:
            click.echo("\n".join(found.lines()))
