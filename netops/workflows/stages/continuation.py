"""Continuation of a generated network from the end of its last telemetry."""

from datetime import UTC, datetime

from netops.config.durations import SECOND
from netops.simulator.fleet_settings import FleetSettings
from netops.workflows.records.runs import PROJECT

#: Parameter of the `generate` stage: "true" continues where the network's last telemetry ended.
GOES_ON = "continues"


def period_of(network: str, fleet: FleetSettings, continues: bool) -> tuple[int, int]:
    """Return the start of the telemetry to generate next, and the start of the network.

    Parameters
    ----------
    network : str
        Whose telemetry it is.
    fleet : FleetSettings
        Start of a network that is new.
    continues : bool
        Whether to continue where the last telemetry ended.

    Returns
    -------
    tuple of int
        Start and origin, nanoseconds since the epoch.
    """
    last = _last_of(network) if continues else None
    if last is None:
        return fleet.start_time, fleet.start_time
    return parse(last["until"]), parse(last["origin"])


def describe(start: int, origin: int, fleet: FleetSettings) -> dict[str, str]:
    """Describe a period of telemetry for :func:`period_of`."""
    until = start + fleet.duration // fleet.interval * fleet.interval
    return {"start": write(start), "until": write(until), "origin": write(origin)}


def _last_of(network: str) -> dict[str, str] | None:
    """Return the log entry of the stage for the latest telemetry of a network."""
    import mlrun

    runs = mlrun.get_run_db().list_runs(
        project=PROJECT, name="generate", labels=[f"network={network}"], states=["completed"]
    )
    logged = [run["status"].get("results") or {} for run in runs]
    return max((results for results in logged if "until" in results), key=lambda r: parse(r["until"]), default=None)


def parse(text: str) -> int:
    """Read a time that :func:`write` wrote, to the nanosecond."""
    moment, _, fraction = text.removesuffix("Z").partition(".")
    seconds = round(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())
    return seconds * SECOND + int(fraction.ljust(9, "0") or 0)


def write(moment: int) -> str:
    """Format nanoseconds since the epoch as ISO 8601, with nanoseconds if not zero."""
    seconds, fraction = divmod(moment, SECOND)
    text = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
    return text + (f".{fraction:09d}" if fraction else "") + "Z"
