"""Where a network's serving state lies; readers of single files share it, so it imports nothing heavy."""

import contextlib
from pathlib import Path

from netops.config.paths import home

#: The file of the alerts, and of what is said of them, in a folder of state.
ALERTS = "alerts.sqlite"
#: The folder of copies of what was in service last, in a folder of state.
CHAMPION = "champion"


def state_folder(network: str) -> Path:
    """Name the folder that holds a network's serving state: snapshot, alerts, dead letters."""
    return home() / "serving" / network


def networks() -> list[str]:
    """List the networks that have alerts, or anything else said of them, on this machine."""
    return sorted(path.parent.name for path in (home() / "serving").glob(f"*/{ALERTS}"))


def adopt_replicas(volume: Path, folder: Path, network: str) -> None:
    """Move the replicas' states that an earlier version kept at the top of a volume into a network's own folder.

    Those of other networks stay for them, and so does what another server holds.
    """
    from netops.serving.engine.restore import network_of

    for replica in sorted(volume.glob("replica-*")):
        if network_of(replica) == network:
            folder.mkdir(parents=True, exist_ok=True)
            # Two replicas may start at once: one of them finds it gone.
            with contextlib.suppress(OSError):
                replica.rename(folder / replica.name)
