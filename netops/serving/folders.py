"""Paths of a network's serving state; imports nothing heavy."""

from pathlib import Path

from netops.config.paths import home
from netops.serving.engine.lease import newest_generation

#: The file of alerts and feedback in a state folder.
ALERTS = "alerts.sqlite"
#: The folder with the states of the partitions of a stream in a state folder.
PARTITIONS = "partitions"
#: The folder with copies of the last champion and shadow in a state folder.
CHAMPION = "champion"


def state_folder(network: str) -> Path:
    """Return the folder of a network's serving state: snapshot, alerts, dead letters."""
    return home() / "serving" / network


def alert_files(network: str) -> list[Path]:
    """Return the files with alerts and feedback of a network: one, and one per partition of a stream."""
    folder = state_folder(network)
    found = [folder / ALERTS]
    for partition in sorted((folder / PARTITIONS).glob("*")):
        if (number := newest_generation(partition)) is not None:
            found.append(partition / f"g{number}" / ALERTS)
    return [path for path in found if path.is_file()]


def networks() -> list[str]:
    """Return the networks with alerts or feedback on this machine."""
    return sorted(path.name for path in (home() / "serving").glob("*") if alert_files(path.name))
