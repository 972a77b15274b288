"""``netops features``: build feature vectors from telemetry."""

from pathlib import Path

import click

from netops.cli import options
from netops.cli.output import note, print_json, progress_bars


@click.command("features")
@click.option("--telemetry", multiple=True, required=True, metavar="PATH", help="Files or folders.")
@options.incidents
@options.logs
@options.log_format
@options.events
@click.option("--out", type=options.PATH, required=True, help="Folder to write to.")
@click.option("--windows", metavar="1m,1h", help="Window lengths; default: as configured.")
@options.config
@options.overrides
@options.workers
@options.scheduler
@options.common
def command(
    telemetry: tuple[str, ...],
    incidents: Path | None,
    logs: tuple[Path, ...],
    log_format: str | None,
    events: tuple[Path, ...],
    out: Path,
    windows: str | None,
    config: Path | None,
    overrides: tuple[str, ...],
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Build feature vectors from telemetry: a folder of Parquet files, one row per sample."""
    from netops.workflows.settings import read_settings

    given = [f"features.windows={windows}"] if windows is not None else []
    given += options.compute_settings(workers, scheduler)
    settings = read_settings(config, [*overrides, *given, *options.log_settings(logs, log_format, events)])
    options.must_exist(*telemetry, incidents, *logs, *events)

    from netops.tracking.results import summary_lines
    from netops.workflows.stages.preparation import ingest_and_build

    with progress_bars():
        dataset = ingest_and_build(options.paths(telemetry), incidents, settings, out)
    meta = dataset.meta
    for line in summary_lines(meta):
        note(line)
    if as_json:
        print_json({"out": str(out), "samples": meta.samples, "devices": meta.devices, "features": meta.features})
    else:
        note(f"{meta.samples:,} feature vectors of {meta.devices} devices")
        click.echo(out)
