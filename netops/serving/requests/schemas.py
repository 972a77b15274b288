"""Types of requests and responses that endpoints and clients share; imports nothing heavy."""

from typing import Annotated, TypeAlias

import msgspec

from netops.serving.decode.times import Stamp

Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=2000)]
Kind: TypeAlias = Annotated[str, msgspec.Meta(max_length=128)]
Time: TypeAlias = Annotated[Stamp, msgspec.Meta(description="ISO 8601, or s, ms, µs or ns since the epoch")]


class Fleet(msgspec.Struct):
    """The devices seen since a previous answer, as columns.

    ``cursor`` is the value of ``since`` for the next query. ``devices`` and the columns have the same length; times
    are in milliseconds since the epoch. ``alerting``, ``silent`` (stale) and ``on_trial`` (quarantined) are
    complete. ``known`` is the number of all devices: if the client has another number, devices were dropped, and it
    should query all devices again.
    """

    network: str
    model: str
    metrics: tuple[str, ...]
    threshold: float
    horizon_seconds: float
    event_time: int | None
    cursor: int
    known: int
    devices: list[str]
    companies: list[str | None]
    data_centers: list[str | None]
    last: list[int]
    risk: list[float | None]
    alerting: list[str]
    silent: list[str]
    on_trial: list[str]


class History(msgspec.Struct):
    """The samples in a device's windows: times in milliseconds since the epoch, values by metric."""

    device: str
    times: list[int]
    values: dict[str, list[float | None]]


class LogLine(msgspec.Struct):
    """A message: time in milliseconds since the epoch, name of severity, template (null: it fits none), text."""

    time: int
    severity: str
    template: str | None
    text: str


class DeviceLogs(msgspec.Struct):
    """The last messages of a device, newest first; ``kept`` is their maximum number, 0: none are kept."""

    device: str
    kept: int
    lines: list[LogLine]
