"""Tables of v3io, and the frames service behind them (addresses: see ``v3io_address``)."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from netops.errors import NetopsError, UsageError
from netops.telemetry.v3io.address import SCHEME, Address


class Client(Protocol):
    """v3io's client of its tables."""

    def create(self, backend: str, table: str, **how: object) -> None:
        """Create a table."""

    def write(self, backend: str, table: str, dfs: Sequence[pd.DataFrame], **how: object) -> None:
        """Write frames."""

    def read(self, backend: str, table: str, **how: object) -> Iterable[pd.DataFrame]:
        """Read a table, frame by frame."""


@dataclass(frozen=True)
class FramesTable:
    """One table behind a frames service."""

    service: str
    container: str
    table: str
    backend: str
    start: str
    end: str

    @classmethod
    def parse(cls, address: str) -> "FramesTable":
        """Parse an address.

        Raises
        ------
        UsageError
            If a part of it is missing or unknown.
        """
        known = Address.parse(address)
        if known.is_stream:
            raise UsageError(f"{address}: a stream is not a table")
        options = known.options
        return cls(
            known.service(), known.container, known.path, options["backend"], options["start"], options["end"]
        )

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Connect; errors of the service are reported in one line."""
        import grpc
        import v3io_frames

        try:
            yield v3io_frames.Client(self.service, container=self.container)
        except (v3io_frames.Error, v3io_frames.BadRequest, grpc.RpcError, ValueError) as error:
            raise NetopsError(f"{self}: {_brief(error)}") from None

    def __str__(self) -> str:
        return f"{SCHEME}://{self.service.split('://')[-1]}/{self.container}/{self.table}"


def _brief(error: Exception) -> str:
    """Return the message of a gRPC error without its formatting."""
    details = getattr(getattr(error, "cause", error), "details", None)
    text = str(details()) if details is not None else str(error)
    return " ".join((text or type(error).__name__).split())
