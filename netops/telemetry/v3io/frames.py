"""Tables of v3io, and the frames service behind them (addresses: see ``v3io_address``)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from netops.errors import NetopsError, UsageError
from netops.telemetry.v3io.address import SCHEME, Address


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
    def client(self) -> Iterator[Any]:
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
    cause: Any = getattr(error, "cause", error)
    text = cause.details() if hasattr(cause, "details") else str(error)
    return " ".join((text or type(error).__name__).split())
