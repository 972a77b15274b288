"""Configuration of the server: ``configurations/serving.yaml``."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from netops.config.binding import Duration, option
from netops.config.durations import MINUTE, SECOND
from netops.errors import UsageError

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class TimeSettings:
    """How event time is handled."""

    allowed_lateness: Duration = option(
        30 * SECOND, help="how far a sample may lie behind the newest of its device", unit="duration"
    )
    silent_after: Duration | None = option(
        None,
        help="a device unheard of for this long, by the time of the others, is silent (default: 5 short windows)",
        unit="duration",
    )
    future_limit: Duration = option(
        10 * MINUTE,
        help="a sample this far ahead of its network is on probation until most devices are there too",
        unit="duration",
    )
    join_wait: Duration = option(
        10 * SECOND, help="how long the metrics of one remote-write sample are waited for", unit="duration"
    )


@dataclass(frozen=True)
class LimitSettings:
    """What one sender may ask of the server."""

    body_bytes: int = option(8 * MEBIBYTE, help="largest request body", unit="bytes", minimum=1024)
    batch: int = option(10_000, help="most samples in a request", minimum=1)
    late: int = option(
        2000,
        help="max samples of a request that are older than the newest of their device; the rest is rejected",
        minimum=250,  # a part (work.SLICE) whose samples were all sent before is never rejected
    )
    devices: int = option(20_000, help="devices kept; the least recently seen go first", minimum=1)
    name_length: int = option(128, help="longest device, company or data center name", minimum=8)
    receive_seconds: float = option(10.0, help="time a client has to send a request body", unit="s", minimum=0.1)
    head_bytes: int = option(32_768, help="longest head of a request", unit="bytes", minimum=512)
    headers: int = option(100, help="most headers of a request", minimum=8)
    url_bytes: int = option(8192, help="longest address of a request", unit="bytes", minimum=128)
    pipelined: int = option(16, help="requests a connection may send ahead of their answers", minimum=1)
    connections: int = option(
        512, help="connections held at once; beyond, the one that has waited longest is ended", minimum=2
    )
    connections_per_address: int = option(256, help="connections one address may hold", minimum=1)
    half_open_per_address: int = option(
        128, help="requests of one address that have not come in completely", minimum=1
    )
    unsent_bytes: int = option(
        64 * MEBIBYTE, help="answers held for peers that do not read them", unit="bytes", minimum=65_536
    )
    risk_series: int = option(1000, help="devices whose risk is exported on /metrics", minimum=0)
    telemetry_series: int = option(
        4000,
        help="series of the riskiest devices' telemetry exported on /metrics: devices times metrics",
        minimum=0,
    )


@dataclass(frozen=True)
class StateSettings:
    """What is kept on disk, and how often."""

    snapshot_interval: Duration = option(10 * SECOND, help="time between two snapshots", unit="duration")
    champion_interval: Duration = option(
        SECOND, help="how often the champion is looked up, for a swap", unit="duration"
    )
    dead_letter_bytes: int = option(
        16 * MEBIBYTE, help="size at which the dead-letter file is rotated", unit="bytes", minimum=4096
    )
    dead_letter_files: int = option(4, help="dead-letter files kept", minimum=1)


@dataclass(frozen=True)
class ReceiverSettings:
    """One receiver of alerts."""

    kind: str = option(
        help="webhook: JSON is posted to the address; alertmanager: to <address>/api/v2/alerts; stream: of v3io",
        choices=("webhook", "alertmanager", "stream"),
    )
    url: str = option(help="address of the receiver")

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if self.kind != "stream" and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise UsageError(
                f"receivers: {self.kind}: '{self.url}' is not an address; write it as http://host:port/path"
            )


@dataclass(frozen=True)
class ServingSettings:
    """The server."""

    host: str = option("127.0.0.1", help="address to bind; any other needs NETOPS_TOKEN")
    hosts: tuple[str, ...] = option(
        (), help="further names (of a proxy, say) under which a server on 127.0.0.1 may be addressed"
    )
    port: int = option(8080, help="port", minimum=0, maximum=65535)
    exact_reasons: int = option(
        100,
        help="alerting samples of a request that get exact contributions; the rest get the quick ones",
        minimum=0,
    )
    time: TimeSettings = option(TimeSettings, help="event time")
    limits: LimitSettings = option(LimitSettings, help="limits")
    state: StateSettings = option(StateSettings, help="state on disk")
    receivers: tuple[ReceiverSettings, ...] = option((), help="receivers of alerts")
