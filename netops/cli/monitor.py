"""``netops monitor``: detect drift between a network and its champion."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netops.cli import options
from netops.cli.output import note, print_json, print_rows, progress_bars

if TYPE_CHECKING:
    from netops.monitoring.report import Finding, Report
    from netops.workflows.settings import Settings

_COLUMNS = ["drift", "kind", "name", "score", "minimum", "p_value", "since", "about"]
#: Maximum rows of the table; JSON output has all.
_ROWS = 20


@click.command("monitor")
@click.option(
    "--telemetry", multiple=True, metavar="SOURCE", help="Default: the simulated network, continued in time."
)
@options.incidents
@options.name
@click.option("--retrain-on-drift", is_flag=True, help="Start a training on drift, at most once per retrain_every.")
@click.option("--port", type=click.IntRange(0, 65535), help="Export metrics on this port and check periodically.")
@click.option("--plot", type=options.PATH, help="Write a heat map of the drift to this file (PNG).")
@options.config
@options.overrides
@options.common
def command(
    telemetry: tuple[str, ...],
    incidents: Path | None,
    name: str | None,
    retrain_on_drift: bool,
    port: int | None,
    plot: Path | None,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compare a network's telemetry with the training data of its champion: features, risks, outcomes, schema."""
    from netops.workflows.settings import read_settings

    settings = read_settings(config, overrides)
    options.must_exist(*telemetry, incidents)
    network = name or (options.stem(telemetry[0]) if telemetry else "demo")
    sources, log = options.paths(telemetry), incidents and incidents.resolve()

    def check() -> "Report":
        return _check(network, sources, log, settings, retrain_on_drift, plot, as_json)

    if port is None:
        check()
    else:
        _check_periodically(check, network, port, settings.monitoring.every)


def _check(
    network: str,
    sources: tuple[str, ...],
    incidents: Path | None,
    settings: "Settings",
    retrain_on_drift: bool,
    plot: Path | None,
    as_json: bool,
) -> "Report":
    from netops.scheduling.retraining import retrain
    from netops.workflows.stages import monitoring

    training = None
    with progress_bars():
        report = monitoring.monitor(network, sources, incidents, settings)
        if plot is not None:
            _write_picture(plot, report)
        if not as_json:
            _print(report)
        if retrain_on_drift and report.drifted:
            training = retrain(network, sources, incidents, settings, time.time_ns())
    if as_json:
        print_json(report.to_dict() | {"retraining": training})
    elif training is not None:
        state = "retrained" if training["started"] else "not trained"
        note(f"{state}: {training['reason']}" + (f" (run {training['run_id']})" if training["run_id"] else ""))
    return report


def _print(report: "Report") -> None:
    rows = [_row(finding) for finding in report.findings[:_ROWS]]
    print_rows(rows, _COLUMNS, as_json=False)
    if (rest := len(report.findings) - len(rows)) > 0:
        note(f"{rest} more with smaller scores; --json lists them")
    for text in report.notes:
        note(text)
    drifted = len(report.drifted)
    click.echo(f"{report.network}: {drifted} of {len(report.findings)} have drifted from model {report.version}")


def _row(finding: "Finding") -> dict[str, object]:
    row = finding.to_dict()
    return row | {"drift": "drift" if finding.detected else ""}


def _write_picture(path: Path, report: "Report") -> None:
    from netops.files import atomic_path
    from netops.monitoring.picture import drift_picture

    with atomic_path(path) as draft:
        draft.write_bytes(drift_picture(report))


def _check_periodically(check: "Callable[[], Report]", network: str, port: int, every: int) -> None:
    """Export metrics until stopped; after a failed check the metrics of the previous one stay."""
    from prometheus_client import start_http_server

    from netops.errors import NetopsError
    from netops.monitoring.exported import MonitoringMetrics
    from netops.workflows.signals import stop_on_terminate
    from netops.workflows.stages.monitoring import export

    stop_on_terminate()
    metrics = MonitoringMetrics(network)
    export(check(), metrics)
    server, _ = start_http_server(port, registry=metrics.registry)
    note(f"metrics on port {server.server_port} (Ctrl-C stops it)")
    while True:
        time.sleep(every / 1e9)
        try:
            export(check(), metrics)
        except NetopsError as error:
            note(f"netops: {error}")
