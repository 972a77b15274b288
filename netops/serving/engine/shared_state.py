"""Where the states of partitions are, as the processes of a stream share them: a folder, or an object store."""

from pathlib import Path
from typing import Protocol

from netops.serving.engine.lease import Claim


class StateLease(Protocol):
    """The right to write a state."""

    @property
    def folder(self) -> Path:
        """The folder in which the owner works on the state; its name is the fencing token."""

    @property
    def stalled(self) -> str:
        """Why the state cannot be saved now, so that reading pauses; empty if it can."""

    def check(self) -> None:
        """Check that this process may write.

        Raises
        ------
        FencedError
            If another process has taken over, or may have done so (``SuspendedError``).
        """

    def renew(self) -> None:
        """Show other processes that the owner is alive.

        Raises
        ------
        FencedError
            If another process has taken over.
        """

    def commit(self) -> None:
        """Make everything in the folder the state that the next owner finds; returns once that is durable.

        Raises
        ------
        FencedError
            If another process has taken over.
        NetopsError
            If it is not durable.
        """

    def flush(self) -> None:
        """Do the same for the alert store alone, which is written between two snapshots.

        Raises
        ------
        FencedError
            If another process has taken over, or it is not durable (``SuspendedError``).
        """

    def release(self) -> None:
        """End the lease, without saving the folder."""


class StateClaim(Protocol):
    """Repeated attempts to take over a state."""

    def attempt(self) -> StateLease | None:
        """Return the lease once this process owns the state; None until then."""

    def abandon(self) -> None:
        """End the attempts."""


class SharedState(Protocol):
    """The states of all partitions."""

    def claim(self, name: str, patience: float) -> StateClaim:
        """Return a claim on the state of a partition.

        Parameters
        ----------
        name : str
            Name of the partition.
        patience : float
            Seconds without renewal after which an owner is taken for stopped.
        """

    def close(self) -> None:
        """End what runs in the background."""


class FolderState:
    """The states in a folder that all processes see (see ``engine.lease``).

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def claim(self, name: str, patience: float) -> Claim:
        """Return a claim on the state of a partition."""
        return Claim(self._folder / name, patience)

    def close(self) -> None:
        """Nothing runs in the background."""
