"""What is told of one device."""

from typing import Any

import numpy as np

from netops.dashboard.fleet import ALERTING, ON_TRIAL, SILENT
from netops.dashboard.follower import Follower, finite
from netops.errors import UsageError, closest
from netops.serving.alerts.store import Alert

#: Alerts of a device that are listed.
LISTED = 50


async def device_state(follower: Follower, device: str) -> dict[str, Any]:
    """Put together what is known of a device.

    Parameters
    ----------
    follower : Follower
        Follows the server.
    device : str
        Its name.

    Returns
    -------
    dict
        ``state`` in words, ``risk``, ``samples`` (times in ms and values by metric), ``risks`` (as seen since the
        dashboard started), ``alerts`` (the newest first), ``metrics`` in the order in which they matter.

    Raises
    ------
    UsageError
        If it is not known.
    NoServerError
        If the server does not answer.
    """
    fleet = follower.fleet
    slot = fleet.slot(device)
    if slot is None or fleet.facts is None:
        raise UsageError(f"no device '{device}'{closest(device, fleet.names)}")
    history, alerts = await follower.history(device), await follower.alerts_of(device)
    times, risks = fleet.history.of(slot)
    risk, index, status = float(fleet.risk[slot]), fleet.places[slot], int(fleet.status[slot])
    return {
        "device": device,
        "company": index.company,
        "data_center": index.data_center,
        "state": state_of(status, risk, fleet.facts.threshold),
        "alerting": bool(status & ALERTING),
        "risk": finite([risk])[0],
        "threshold": fleet.facts.threshold,
        "horizon": fleet.facts.horizon_seconds,
        "model": fleet.facts.model,
        "last": int(fleet.last[slot]),
        "now": fleet.facts.event_time,
        "metrics": by_weight(fleet.facts.metrics, alerts),
        "samples": {"times": history.times, "values": history.values},
        "risks": {"times": times, "values": risks},
        "alerts": alerts[:LISTED],
    }


def state_of(status: int, risk: float, threshold: float) -> str:
    """Say in words how a device is."""
    if status & SILENT:
        return "silent: it has sent nothing for a while"
    if status & ALERTING:
        return "alerting: a failure is expected"
    if status & ON_TRIAL:
        return "on probation: its clock runs ahead of the network's"
    if np.isnan(risk):
        return "not scored yet"
    return "above the threshold" if risk >= threshold else "healthy"


def by_weight(metrics: tuple[str, ...], alerts: list[Alert]) -> list[str]:
    """Order metrics: those that the newest alert gives as its reasons first."""
    reasons = alerts[0].reasons if alerts else []
    rank = {metric: len(reasons) for metric in metrics}
    for index, reason in reversed(list(enumerate(reasons))):
        owners = [
            metric for metric in metrics if reason.feature == metric or reason.feature.startswith(f"{metric}_")
        ]
        if owners:
            rank[max(owners, key=len)] = index
    return sorted(metrics, key=lambda metric: rank[metric])
