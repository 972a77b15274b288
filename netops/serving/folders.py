"""Paths of a network's serving state; imports nothing heavy."""

import contextlib
from pathlib import Path

from netops.config.paths import home

#: The file of alerts and feedback in a state folder.
ALERTS = "alerts.sqlite"
#: The folder with copies of the last champion and shadow in a state folder.
CHAMPION = "champion"


def state_folder(network: str) -> Path:
    """Return the folder of a network's serving state: snapshot, alerts, dead letters."""
    return home() / "serving" / network


def networks() -> list[str]:
    """Return the networks with alerts or feedback on this machine."""
    return sorted(path.parent.name for path in (home() / "serving").glob(f"*/{ALERTS}"))


def adopt_replicas(volume: Path, folder: Path, network: str) -> None:
    """Move replica states from the top of a volume (earlier versions) into the network's folder.

    States of other networks, and those in use by another server, are not moved.
    """
    from netops.serving.engine.restore import network_of

    for replica in sorted(volume.glob("replica-*")):
        if network_of(replica) == network:
            folder.mkdir(parents=True, exist_ok=True)
            # Two replicas may start at once: one of them does not find it.
            with contextlib.suppress(OSError):
                replica.rename(folder / replica.name)
