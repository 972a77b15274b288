"""Streams of v3io, and its web API behind them (addresses: see ``v3io_address``).

A record is one JSON object: a sample as ``POST /telemetry`` takes it, an alert, a risk. It is in the shard of its
device, so that a reader of one shard receives all records of a device, in order.
"""

import http.client
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

from netops.config.durations import SECOND, parse_duration
from netops.errors import NetopsError, UsageError
from netops.json_types import JsonDict, JsonObject
from netops.telemetry.v3io.address import SCHEME, Address

_RECORDS_A_REQUEST = 500  # the platform takes up to 1,000, and 10 MB
_RETENTION_HOURS = 7 * 24
_TRIES = 3
#: Response of the web API if a stream already exists.
_THERE = (204, 409)

Record: TypeAlias = JsonObject


class _Output(Protocol):
    """What the web API answers; which of the fields there are depends on the request."""

    records: "Sequence[_Stored]"
    shard_count: int
    location: str
    next_location: str
    records_behind_latest: int | None


class _Stored(Protocol):
    """A record of a stream, or what became of one."""

    data: bytes
    sequence_number: int
    arrival_time_sec: int | None
    arrival_time_nsec: int | None
    error_code: int
    error_message: str


class _Answer(Protocol):
    output: _Output


class _Streams(Protocol):
    def create(self, container: str, path: str, shards: int, **how: object) -> _Answer: ...

    def describe(self, container: str, path: str) -> _Answer: ...

    def seek(self, container: str, path: str, shard: int, **how: object) -> _Answer: ...

    def get_records(self, container: str, path: str, shard: int, location: str, *, limit: int) -> _Answer: ...

    def put_records(self, container: str, path: str, records: Sequence[Mapping[str, str]]) -> _Answer: ...


class _Client(Protocol):
    """v3io's client of the web API."""

    stream: _Streams

    def close(self) -> None: ...


@dataclass(frozen=True)
class Stream:
    """One stream.

    Attributes
    ----------
    service, container, path : str
        Location of the stream.
    shards : int
        Number of shards of a new stream.
    start, end : str
        Range of arrival times of the records to read; all if empty.
    """

    service: str
    container: str
    path: str
    shards: int
    start: str = ""
    end: str = ""

    @classmethod
    def parse(cls, address: str) -> "Stream":
        """Parse an address.

        Raises
        ------
        UsageError
            If a part of it is missing or unknown, or it is the address of a table.
        """
        known = Address.parse(address)
        if not known.is_stream:
            raise UsageError(f"{address}: not a stream; add backend=stream")
        options = known.options
        if options["protocol"] == "grpc":
            raise UsageError(f"{address}: streams use http or https, not grpc")
        return cls(
            known.service(), known.container, known.path, int(options["shards"]), options["start"], options["end"]
        )

    def __str__(self) -> str:
        return f"{SCHEME}://{self.service.split('://')[-1]}/{self.container}/{self.path}"

    @contextmanager
    def open(self, clock: Callable[[], int] = time.time_ns) -> Iterator["OpenStream"]:
        """Connect; errors are reported in one line.

        Parameters
        ----------
        clock : callable
            Returns the current time, for ``now-7d``, in nanoseconds since the epoch.
        """
        from v3io.dataplane import Client
        from v3io.dataplane.response import HttpResponseError

        client = None
        try:
            client = Client(endpoint=self.service, logger=_quiet(), max_connections=1)
            yield OpenStream(self, client, clock)
        except HttpResponseError as error:
            raise NetopsError(f"{self}: {_brief(error)}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NetopsError(f"{self}: {' '.join(str(error).split()) or type(error).__name__}") from None
        finally:
            if client is not None:
                client.close()


@dataclass(frozen=True)
class OpenStream:
    """An open connection to a stream."""

    stream: Stream
    client: _Client
    clock: Callable[[], int]

    def create(self) -> None:
        """Create the stream; an existing one is unchanged."""
        self.client.stream.create(
            self.stream.container,
            self.stream.path,
            self.stream.shards,
            retention_period_hours=_RETENTION_HOURS,
            raise_for_status=[200, *_THERE],
        )

    def put(self, records: Sequence[Record], key: str) -> None:
        """Append records, those of one key (a field) to one shard and in order.

        Raises
        ------
        NetopsError
            If records are repeatedly rejected; names the reason.
        """
        for start in range(0, len(records), _RECORDS_A_REQUEST):
            self._put([_encoded(record, key) for record in records[start : start + _RECORDS_A_REQUEST]])

    def _put(self, records: list[dict[str, str]]) -> None:
        refused = ""
        for _ in range(_TRIES):
            output = self.client.stream.put_records(self.stream.container, self.stream.path, records).output
            failed = [
                (record, result.error_message or result.error_code)
                for record, result in zip(records, output.records, strict=True)
                if result.error_code
            ]
            if not failed:
                return
            records, refused = [record for record, _ in failed], str(failed[0][1])
        raise NetopsError(f"{self.stream}: {len(records)} records were rejected: {' '.join(refused.split())}")

    def records(self) -> Iterator[list[JsonDict]]:
        """Read the current records of the stream, shard by shard; records that arrive meanwhile are read next time.

        Yields
        ------
        list of dict
            The records of one request.
        """
        count = self.client.stream.describe(self.stream.container, self.stream.path).output.shard_count
        end = _moment(self.stream.end, self.clock) if self.stream.end else None
        for shard in range(count):
            yield from self._shard(shard, end)

    def _shard(self, shard: int, end: int | None) -> Iterator[list[JsonDict]]:
        location, left = self._seek(shard), _RECORDS_A_REQUEST
        first = True
        while left > 0:
            output = self.client.stream.get_records(
                self.stream.container, self.stream.path, shard, location, limit=min(left, _RECORDS_A_REQUEST)
            ).output
            found, location = output.records, output.next_location
            left = (output.records_behind_latest or 0) if first else left - len(found)
            first = False
            taken = [record for record in found if end is None or _arrival(record) <= end]
            if taken:
                yield [self._decoded(shard, record) for record in taken]
            if not found or len(taken) < len(found):
                return

    def _seek(self, shard: int) -> str:
        how: dict[str, object] = {"seek_type": "EARLIEST"}
        if self.stream.start:
            seconds, rest = divmod(_moment(self.stream.start, self.clock), SECOND)
            how = {"seek_type": "TIME", "timestamp_sec": seconds, "timestamp_nsec": rest}
        answer = self.client.stream.seek(self.stream.container, self.stream.path, shard, **how)
        return str(answer.output.location)

    def _decoded(self, shard: int, record: _Stored) -> JsonDict:
        try:
            value = json.loads(record.data)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise NetopsError(
                f"{self.stream}: shard {shard}, record {record.sequence_number}: not a JSON object: "
                f"{record.data[:40]!r}"
            )
        return value


def _encoded(record: Record, key: str) -> dict[str, str]:
    data = {"data": json.dumps(record, allow_nan=False)}
    return data | ({"partition_key": str(record[key])} if record.get(key) else {})


def _arrival(record: _Stored) -> int:
    return int(record.arrival_time_sec or 0) * SECOND + int(record.arrival_time_nsec or 0)


def _moment(text: str, clock: Callable[[], int]) -> int:
    """Parse ``now``, ``now-7d`` or RFC 3339 as nanoseconds since the epoch."""
    if text == "now":
        return clock()
    if text.startswith("now-"):
        return clock() - parse_duration(text.removeprefix("now-"))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"'{text}' is not a valid time of a stream: expected now-7d, or 2026-01-05T12:00:00Z"
        ) from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * SECOND)


def _brief(error: Exception) -> str:
    """Return the status and the message of the web API."""
    text = " ".join(str(error).removeprefix("Request failed with status ").split())
    return f"the web API answers {text}"[:300]


def _quiet() -> object:
    """Create a silent logger for the client: all errors are also raised."""
    from v3io.logger import Logger

    logger = Logger("CRITICAL")
    logging.getLogger("v3io_py").propagate = False
    return logger
