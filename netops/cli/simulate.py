"""``netops simulate``: replay telemetry to a server."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netops.cli import options
from netops.cli.output import note, print_json
from netops.config.durations import DAY

if TYPE_CHECKING:
    from netops.client.simulate import Live


@click.command("simulate")
@click.option("--to", "url", required=True, metavar="URL", help="Server, e.g. http://127.0.0.1:8080.")
@click.option(
    "--speed",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    help="Speed-up over real time; 0: no pacing.",
)
@click.option(
    "--devices", type=click.IntRange(1), help="Devices of the simulated network; default: as in fleet.yaml."
)
@options.telemetry
@options.incidents
@click.option(
    "--duration", type=options.DURATION, default=DAY, show_default="1d", help="Length of the simulated telemetry."
)
@click.option(
    "--start", type=options.TIME, help="Time of the first sample; default: the end of the telemetry of fleet.yaml."
)
@click.option(
    "--connections", type=click.IntRange(1, 64), default=4, show_default=True, help="Concurrent requests."
)
@options.config
@options.overrides
@options.common
def command(
    url: str,
    speed: float,
    devices: int | None,
    telemetry: tuple[str, ...],
    incidents: Path | None,
    duration: int,
    start: int | None,
    connections: int,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Replay simulated or recorded telemetry to a running server and report its alerts.

    Without --telemetry, the network of fleet.yaml is simulated from the end of its telemetry on.
    """
    from netops.workflows.settings import read_settings

    settings = read_settings(config, overrides)
    options.must_exist(*telemetry, incidents)

    from netops.client.simulate import simulate
    from netops.serving.requests.access import read_token
    from netops.workflows.stages.playback import generated_network, recorded_telemetry

    if telemetry:
        playback = recorded_telemetry(options.paths(telemetry), incidents, settings)
    else:
        playback = generated_network(settings, devices, duration, start)
    report = simulate(
        url,
        playback,
        speed=speed,
        connections=connections,
        token=read_token(),
        on_progress=_progress_printer(as_json),
    )
    if as_json:
        print_json(report.to_dict())
    else:
        for key, value in report.to_dict().items():
            click.echo(f"{key.replace('_', ' '):24} {value}")


def _progress_printer(as_json: bool) -> "Callable[[Live], None]":
    def show(live: "Live") -> None:
        times = "  ".join(f"{name.removesuffix('_ms')} {value} ms" for name, value in live.percentiles().items())
        answered = ", ".join(f"{count:,} {status}" for status, count in live.answered.items() if count)
        note(f"sent {live.sent:,}  answered {answered or 0}  alerts {live.alerts}  {times}")

    return (lambda live: None) if as_json else show
