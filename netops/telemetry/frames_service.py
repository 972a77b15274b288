"""Addresses of v3io tables, and the frames service behind them.

``v3io://framesd:8081/<container>/<table>`` names a table; without a host (``v3io:///…``) the service is the one of
``V3IO_FRAMESD``. Optional: ``?backend=tsdb|kv`` (default tsdb), ``protocol=grpc|http|https`` (default grpc),
``start=…&end=…`` as the service takes them (``now-7d``, RFC 3339). Who may read and write is told by
``V3IO_ACCESS_KEY``, or ``V3IO_USERNAME`` and ``V3IO_PASSWORD``.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from netops.errors import NetopsError, UsageError, closest

_DEFAULTS = {"backend": "tsdb", "protocol": "grpc", "start": "", "end": ""}
_CHOICES = {"backend": ("tsdb", "kv"), "protocol": ("grpc", "http", "https")}


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
        """Read an address.

        Raises
        ------
        UsageError
            If a part of it is missing or unknown.
        """
        parts = urlsplit(address)
        given = dict(parse_qsl(parts.query))
        for name, value in given.items():
            if name not in _DEFAULTS:
                raise UsageError(f"{address}: unknown parameter '{name}'{closest(name, _DEFAULTS)}")
            if value not in _CHOICES.get(name, (value,)):
                raise UsageError(f"{address}: {name} '{value}'{closest(value, _CHOICES[name])}")
        options = _DEFAULTS | given
        host = parts.netloc or os.environ.get("V3IO_FRAMESD", "")
        container, _, table = parts.path.strip("/").partition("/")
        if not host or not table:
            raise UsageError(f"{address}: write it as v3io://<frames service>/<container>/<table>")
        service = host if "://" in host else f"{options['protocol']}://{host}"
        return cls(service, container, table, options["backend"], options["start"], options["end"])

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Connect; what the service refuses becomes one line."""
        import grpc
        import v3io_frames

        try:
            yield v3io_frames.Client(self.service, container=self.container)
        except (v3io_frames.Error, v3io_frames.BadRequest, grpc.RpcError, ValueError) as error:
            raise NetopsError(f"{self}: {_brief(error)}") from None

    def __str__(self) -> str:
        return f"v3io://{self.service.split('://')[-1]}/{self.container}/{self.table}"


def _brief(error: Exception) -> str:
    """Keep what a gRPC error says, and leave out how it prints itself."""
    cause: Any = getattr(error, "cause", error)
    text = cause.details() if hasattr(cause, "details") else str(error)
    return " ".join((text or type(error).__name__).split())
