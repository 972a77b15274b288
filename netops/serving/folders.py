"""Paths of a network's serving state; imports nothing heavy."""

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
