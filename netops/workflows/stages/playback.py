"""Telemetry to replay to a server: a generated network that continues, or recorded telemetry."""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

from netops import progress
from netops.client.playback import Playback, generated, recorded
from netops.simulator.network import make_network
from netops.telemetry.ingest import open_or_ingest
from netops.workflows.settings import Settings


def generated_network(settings: Settings, devices: int | None, duration: int, start: int | None) -> Playback:
    """Continue the network of the configuration, by default from the end of its telemetry.

    Parameters
    ----------
    settings : Settings
        All sections of the configuration.
    devices : int, optional
        Replaces that of fleet.yaml.
    duration : int
        Nanoseconds.
    start : int, optional
        Time of the first sample, nanoseconds since the epoch.
    """
    fleet = settings.fleet
    began = fleet.start_time
    network = make_network(
        settings.metrics,
        devices=devices or fleet.devices,
        duration=duration,
        interval=fleet.interval,
        start=began + fleet.duration if start is None else start,
        seed=fleet.seed,
        origin=began,
        silent=settings.generated_logs.silent_if_enabled,
    )
    return generated(network)


def recorded_telemetry(sources: Sequence[str], incidents: Path | None, settings: Settings) -> Playback:
    """Read telemetry for replay in its original form: counters stay counters, the server computes rates."""
    options = dataclasses.replace(settings.telemetry, counters=())
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch:
        return recorded(open_or_ingest(sources, Path(scratch) / "telemetry", options, incidents, progress.report))
