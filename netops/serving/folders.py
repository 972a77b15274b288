"""Where a network's serving state lies; readers of single files share it, so it imports nothing heavy."""

from pathlib import Path

from netops.home import home

#: The file of the alerts, and of what is said of them, in a folder of state.
ALERTS = "alerts.sqlite"


def state_folder(network: str) -> Path:
    """Name the folder that holds a network's serving state: snapshot, alerts, dead letters."""
    return home() / "serving" / network


def networks() -> list[str]:
    """List the networks that have alerts, or anything else said of them, on this machine."""
    return sorted(path.parent.name for path in (home() / "serving").glob(f"*/{ALERTS}"))
