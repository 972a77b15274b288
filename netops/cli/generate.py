"""``netops generate``: simulate the telemetry of a network with failures."""

from pathlib import Path

import click

from netops.cli import options
from netops.cli.output import note, print_json, progress_bars
from netops.config.durations import DAY, SECOND


@click.command("generate")
@click.option("--out", type=options.PATH, required=True, help="Folder to write to.")
@click.option("--devices", type=click.IntRange(1), help="Number of devices; default: as in the YAML.")
@click.option("--duration", type=options.DURATION, default=DAY, show_default="1d", help="Length of the telemetry.")
@click.option("--interval", type=options.DURATION, help="Time between samples; default: as in the YAML.")
@click.option("--start", type=options.TIME, help="Time of the first sample; default: 2026-01-05T00:00:00Z.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=7,
    show_default=True,
    help="Random seed; the same seed gives the same telemetry.",
)
@click.option("--metrics-config", type=options.PATH, help="YAML of metrics, deployment and scenarios.")
@click.option("--logs", type=options.PATH, help="Also write the log messages of the devices to this file.")
@options.workers
@options.scheduler
@options.common
def command(
    out: Path,
    devices: int | None,
    duration: int,
    interval: int | None,
    start: int | None,
    seed: int,
    metrics_config: Path | None,
    logs: Path | None,
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Generate telemetry into a folder of Parquet files.

    If a run was interrupted, the same command resumes it.
    """
    from netops import progress
    from netops.simulator.generate import generate
    from netops.simulator.settings import GeneratorSettings
    from netops.workflows.project_folder import project_root
    from netops.workflows.settings import read_settings
    from netops.workflows.stages.dask import compute_cluster

    settings = GeneratorSettings.from_yaml(metrics_config or project_root() / "configurations" / "metrics.yaml")
    first = _DEFAULT_START if start is None else start
    settings_of_logs = None if logs is None else read_settings().generated_logs
    silent = 0.0 if settings_of_logs is None else settings_of_logs.silent
    compute = read_settings(overrides=options.compute_settings(workers, scheduler)).compute
    with progress_bars(), compute_cluster(compute) as cluster:
        dataset = generate(
            settings,
            out,
            devices=devices,
            duration=duration,
            interval=interval,
            start=first,
            seed=seed,
            silent=silent,
            cluster=cluster,
            progress=progress.report,
        )
    meta = dataset.meta
    written = {}
    if logs is not None and settings_of_logs is not None:
        from netops.simulator.logs import write_logs
        from netops.simulator.network import make_network

        network = make_network(
            settings,
            devices=devices,
            duration=duration,
            interval=interval,
            start=first,
            seed=seed,
            silent=silent,
        )
        written = {"log_messages": write_logs(network, dataset, settings_of_logs, logs)}
    if as_json:
        about = {"samples": meta.samples, "devices": meta.devices, "incidents": meta.incidents}
        print_json({"out": str(out), **about, **written})
    else:
        note(f"{meta.samples:,} samples of {meta.devices} devices, {meta.incidents} incidents")
        if logs is not None:
            note(f"{written['log_messages']:,} log messages in {logs}")
        click.echo(out)


_DEFAULT_START = 1_767_571_200 * SECOND  # 2026-01-05T00:00:00Z, as in fleet.yaml
