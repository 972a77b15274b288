"""The state of one device."""

from collections.abc import Sequence

import numpy as np

from netops.dashboard.fleet import ALERTING, ON_TRIAL, SILENT
from netops.dashboard.follower import Follower, finite
from netops.errors import UsageError, closest
from netops.serving.alerts.store import Alert

#: Maximum alerts listed per device.
LISTED = 50


async def device_state(follower: Follower, device: str) -> dict[str, object]:
    """Return the state of a device.

    Parameters
    ----------
    follower : Follower
        Tracks the server.
    device : str
        Name of the device.

    Returns
    -------
    dict
        ``state`` as text, ``risk``, ``samples`` (times in ms and values by metric), ``risks`` (since the start of
        the dashboard), ``alerts`` (newest first), ``metrics`` by importance, ``logs`` (whether messages count).

    Raises
    ------
    UsageError
        If the device is unknown.
    NoServerError
        If the server does not answer.
    """
    fleet = follower.fleet
    slot = fleet.slot(device)
    if slot is None or fleet.facts is None:
        raise UsageError(f"no device '{device}'{closest(device, fleet.names)}")
    history, alerts = await follower.history(device), await follower.alerts_of(device)
    times, risks = fleet.history.of(slot)
    risk, location, status = float(fleet.risk[slot]), fleet.locations[slot], int(fleet.status[slot])
    return {
        "device": device,
        "company": location.company,
        "data_center": location.data_center,
        "state": state_of(status, risk, fleet.facts.threshold),
        "alerting": bool(status & ALERTING),
        "risk": finite([risk])[0],
        "threshold": fleet.facts.threshold,
        "horizon": fleet.facts.horizon_seconds,
        "model": fleet.facts.model,
        "last": int(fleet.last[slot]),
        "now": fleet.facts.event_time,
        "metrics": by_weight(fleet.facts.metrics, alerts),
        "logs": has_logs(fleet.facts.metrics),
        "samples": {"times": history.times, "values": history.values},
        "risks": {"times": times, "values": risks},
        "alerts": alerts[:LISTED],
    }


def has_logs(metrics: Sequence[str]) -> bool:
    """Return whether the model counts log messages."""
    return any(metric.startswith("log_") for metric in metrics)


def state_of(status: int, risk: float, threshold: float) -> str:
    """Return the state of a device as text."""
    if status & SILENT:
        return "stale: no recent data"
    if status & ALERTING:
        return "alerting: a failure is predicted"
    if status & ON_TRIAL:
        return "quarantined: its clock is ahead of the network's"
    if np.isnan(risk):
        return "not scored yet"
    return "above the threshold" if risk >= threshold else "healthy"


def by_weight(metrics: tuple[str, ...], alerts: list[Alert]) -> list[str]:
    """Return the metrics, those in the reasons of the newest alert first."""
    reasons = alerts[0].reasons if alerts else []
    rank = {metric: len(reasons) for metric in metrics}
    for index, reason in reversed(list(enumerate(reasons))):
        owners = [
            metric for metric in metrics if reason.feature == metric or reason.feature.startswith(f"{metric}_")
        ]
        if owners:
            rank[max(owners, key=len)] = index
    return sorted(metrics, key=lambda metric: rank[metric])
