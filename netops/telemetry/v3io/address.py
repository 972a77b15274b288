"""Addresses of v3io tables and streams: ``v3io://<service>/<container>/<path>?backend=…``.

The service is that of the frames (``tsdb``, ``kv``) or the web API (``stream``); without a host (``v3io:///…``) the
one of ``V3IO_FRAMESD`` or ``V3IO_API``. Optional: ``backend=tsdb|kv|stream`` (default tsdb),
``protocol=grpc|http|https`` (default grpc for tables, http for streams), ``start=…&end=…`` (``now-7d``, RFC 3339),
``shards=8`` of a new stream. Credentials are in ``V3IO_ACCESS_KEY``; for tables
``V3IO_USERNAME`` and ``V3IO_PASSWORD`` are an alternative.
"""

import os
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit

from netops.errors import UsageError, closest

SCHEME = "v3io"
STREAM = "stream"
_DEFAULTS = {"backend": "tsdb", "protocol": "", "start": "", "end": "", "shards": "8"}
_CHOICES = {"backend": ("tsdb", "kv", STREAM), "protocol": ("grpc", "http", "https", "")}


@dataclass(frozen=True)
class Address:
    """One table or stream.

    Attributes
    ----------
    host : str
        The service, with its protocol if given; empty if the environment defines it.
    container, path : str
        Location of the table or stream.
    options : dict
        The parameters of the address; all keys exist.
    """

    host: str
    container: str
    path: str
    options: dict[str, str]

    @classmethod
    def parse(cls, address: str) -> "Address":
        """Parse an address.

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
        container, _, path = parts.path.strip("/").partition("/")
        if not path:
            raise UsageError(f"{address}: write it as v3io://<service>/<container>/<path>")
        if not (given.get("shards", "1").isdigit() and int(given.get("shards", "1"))):
            raise UsageError(f"{address}: shards '{given['shards']}' is not a number above 0")
        return cls(parts.netloc, container, path, _DEFAULTS | given)

    @property
    def is_stream(self) -> bool:
        """Whether it is a stream rather than a table."""
        return self.options["backend"] == STREAM

    def service(self) -> str:
        """Return the URL of the service.

        Raises
        ------
        UsageError
            If neither the address nor the environment defines one.
        """
        variable, protocol = ("V3IO_API", "http") if self.is_stream else ("V3IO_FRAMESD", "grpc")
        host = self.host or os.environ.get(variable, "")
        if not host:
            raise UsageError(f"{self}: write it as v3io://<service>/<container>/<path>, or set {variable}")
        return host if "://" in host else f"{self.options['protocol'] or protocol}://{host}"

    def below(self, *names: str) -> "Address":
        """Return an address below this path, with the same options."""
        return replace(self, path="/".join((self.path.rstrip("/"), *names)))

    def __str__(self) -> str:
        given = {key: value for key, value in self.options.items() if value != _DEFAULTS[key]}
        query = f"?{urlencode(given)}" if given else ""
        return f"{SCHEME}://{self.host}/{self.container}/{self.path}{query}"
