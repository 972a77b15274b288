"""What the server answers to those who follow a whole fleet; readers share it, so it imports nothing heavy."""

import msgspec


class Fleet(msgspec.Struct):
    """Devices heard of since an earlier answer, column by column, for who follows a whole fleet.

    ``cursor`` is what to ask from next time. ``devices`` and the lists beside it are of the same length; a time is
    in milliseconds since the epoch. ``alerting``, ``silent`` and ``on_trial`` are complete, ``known`` counts all
    devices: where it differs from what the reader holds, some have been dropped, and all should be asked for again.
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
    """The samples of one device that its windows hold: times in milliseconds since the epoch, values by metric."""

    device: str
    times: list[int]
    values: dict[str, list[float | None]]
