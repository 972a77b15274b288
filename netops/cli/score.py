"""``netops score``: score a batch of telemetry."""

from pathlib import Path

import click

from netops.cli import options
from netops.cli.output import note, print_json, progress_bars


@click.command("score")
@options.telemetry
@click.option("--out", type=options.PATH, required=True, help="File to write, .parquet or .csv.")
@options.logs
@options.log_format
@options.events
@options.name
@click.option("--version", help="Model version; default: the champion.")
@options.config
@options.overrides
@options.common
def command(
    telemetry: tuple[str, ...],
    out: Path,
    logs: tuple[Path, ...],
    log_format: str | None,
    events: tuple[Path, ...],
    name: str | None,
    version: str | None,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Score telemetry with the champion of its network: timestamp, device, risk, model_version, probability."""
    from netops.workflows.settings import read_settings

    settings = read_settings(config, [*overrides, *options.log_settings(logs, log_format, events)])
    options.must_exist(*telemetry, *logs, *events)

    options.must_have_samples(telemetry, settings)

    from netops.workflows.project import connect

    connect()
    from netops import registry
    from netops.telemetry.settings import RISKS
    from netops.telemetry.sinks.rows import Rows
    from netops.tracking.folders import local_model
    from netops.workflows.stages.scoring import score
    from netops.workflows.stages.sink import send

    network = name or "demo"
    model = registry.find(network, version) if version else registry.the_champion(network)
    with progress_bars():
        rows = score(options.paths(telemetry), local_model(model.uri), settings, out)
        send(settings, network, RISKS, Rows.of_risks(out, rows))
    if as_json:
        print_json({"out": str(out), "samples": rows, "network": network, "model_version": model.version})
    else:
        note(f"{rows:,} samples scored by {model.family} {model.version}")
        click.echo(out)
