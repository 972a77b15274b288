"""Configuration of the server: ``configurations/serving.yaml``."""

from dataclasses import dataclass

from netops.config.binding import Duration, option
from netops.config.durations import MINUTE, SECOND
from netops.errors import UsageError
from netops.logs.formats.collected import HOST_LABELS
from netops.serving.alerts.receivers.registry import RECEIVERS, check_address
from netops.serving.syslog.address import check_access, parse_address, parse_networks
from netops.telemetry.times.zones import check_zone

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class TimeSettings:
    """How event time is handled."""

    allowed_lateness: Duration = option(
        30 * SECOND, help="maximum age of a sample relative to the newest one of its device", unit="duration"
    )
    silent_after: Duration | None = option(
        None,
        help="age of a device's newest sample, by network time, from which it is stale (default: 5 short windows)",
        unit="duration",
    )
    future_limit: Duration = option(
        10 * MINUTE,
        help="devices with samples further ahead of the network time are quarantined until it has caught up",
        unit="duration",
    )
    join_wait: Duration = option(
        10 * SECOND, help="how long to wait for the remaining metrics of a remote-write sample", unit="duration"
    )


@dataclass(frozen=True)
class LimitSettings:
    """Limits of the server."""

    body_bytes: int = option(8 * MEBIBYTE, help="maximum request body", unit="bytes", minimum=1024)
    batch: int = option(10_000, help="maximum samples per request", minimum=1)
    late: int = option(
        2000,
        help="maximum late samples per request (older than the newest of their device); more are rejected",
        minimum=250,  # a slice (work.SLICE) of duplicates is never rejected
    )
    devices: int = option(20_000, help="maximum number of devices; the least recently seen are evicted", minimum=1)
    name_length: int = option(128, help="maximum length of a device, company or data center name", minimum=8)
    receive_seconds: float = option(10.0, help="timeout for receiving a request", unit="s", minimum=0.1)
    head_bytes: int = option(32_768, help="maximum size of a request head", unit="bytes", minimum=512)
    headers: int = option(100, help="maximum number of headers", minimum=8)
    url_bytes: int = option(8192, help="maximum length of a URL", unit="bytes", minimum=128)
    pipelined: int = option(16, help="maximum pipelined requests per connection", minimum=1)
    connections: int = option(
        512, help="maximum number of connections; beyond it, the longest idle one is closed", minimum=2
    )
    connections_per_address: int = option(256, help="maximum connections per address", minimum=1)
    half_open_per_address: int = option(128, help="maximum incomplete requests per address", minimum=1)
    unsent_bytes: int = option(
        64 * MEBIBYTE, help="maximum size of all answers that are not read by clients", unit="bytes", minimum=65_536
    )
    syslog_connections: int = option(
        256, help="maximum number of syslog connections; beyond it, the longest idle one is closed", minimum=1
    )
    syslog_line_seconds: float = option(
        30.0, help="timeout for receiving a line of syslog over TCP", unit="s", minimum=0.1
    )
    syslog_idle_seconds: float = option(
        3600.0, help="time without data after which a syslog connection is closed", unit="s", minimum=0.1
    )
    syslog_receive_bytes: int = option(
        8 * MEBIBYTE,
        help="receive buffer of syslog over UDP; the system may limit it (net.core.rmem_max)",
        unit="bytes",
        minimum=4096,
    )
    messages: int = option(
        1_000_000,
        help="maximum number of log messages, and of events, that wait for the next sample of their device "
        "(130 bytes each)",
        minimum=1,
    )
    risk_series: int = option(1000, help="maximum number of devices with a risk on /metrics", minimum=0)
    telemetry_series: int = option(
        4000,
        help="maximum telemetry series on /metrics (devices times metrics), for the devices with the highest risk",
        minimum=0,
    )


@dataclass(frozen=True)
class MessageSettings:
    """Log messages and events in service."""

    timezone: str = option(
        "", help="time zone of times without one, such as Europe/Berlin; empty: UTC; as `logs.timezone` in training"
    )
    max_line: int = option(
        8192, help="maximum length of a message in characters; longer ones are rejected", minimum=80
    )

    max_entries: int = option(50_000, help="maximum log messages per request", minimum=1)
    host_labels: tuple[str, ...] = option(
        HOST_LABELS,
        help="labels of Loki streams with the device of a message; the first one present is used; "
        "as `logs.host_labels` in training",
    )

    keep: int = option(
        0,
        help="last messages of each device that are kept in memory to be looked at, secrets masked; 0: none",
        minimum=0,
        maximum=10_000,
    )

    def __post_init__(self) -> None:
        try:
            check_zone(self.timezone)
        except ValueError as error:
            raise UsageError(f"serving.yaml: messages.timezone: {error}") from None


@dataclass(frozen=True)
class StateSettings:
    """State on disk."""

    snapshot_interval: Duration = option(10 * SECOND, help="time between two snapshots", unit="duration")
    champion_interval: Duration = option(SECOND, help="how often to look up the champion", unit="duration")
    dead_letter_bytes: int = option(
        16 * MEBIBYTE, help="size at which the dead-letter file is rotated", unit="bytes", minimum=4096
    )
    dead_letter_files: int = option(4, help="number of dead-letter files", minimum=1)


@dataclass(frozen=True)
class ReceiverSettings:
    """A receiver of alerts."""

    kind: str = option(
        help=", ".join(f"{kind} ({about.help})" for kind, about in RECEIVERS.items()), choices=tuple(RECEIVERS)
    )
    url: str = option(help="address of the receiver")

    def __post_init__(self) -> None:
        check_address(self.kind, self.url)


@dataclass(frozen=True)
class StreamSettings:
    """A Kafka topic with samples keyed by device."""

    url: str = option("", help="kafka://broker:9092/topic?group=netops; empty: samples are accepted over HTTP")
    out: str = option(
        "", help="kafka://broker:9092/topic to which the risk of each scored sample is written; empty: none"
    )
    messages: int = option(1000, help="maximum messages that are processed together", minimum=1)
    session: Duration = option(
        10 * SECOND,
        help="time without contact after which the partitions of a process are assigned to others",
        unit="duration",
    )
    lease: Duration = option(
        10 * SECOND,
        help="time after which a partition is taken over from a process that has stopped without ending",
        unit="duration",
    )
    peers: tuple[str, ...] = option(
        (),
        help="base URLs of the processes that read the topic, such as http://netops-peers:8080; a name with "
        "several addresses counts as each of them; empty: a process answers for its own partitions",
    )
    peer_timeout: Duration = option(
        2 * SECOND, help="time within which a peer must answer", unit="duration", minimum=50_000_000
    )
    roll_up_wait: Duration = option(
        30 * SECOND,
        help="with peers: how long a risk alert waits at most for the roll-up by site before it is sent; longer "
        "than it takes to replace a process",
        unit="duration",
        minimum=5 * SECOND,  # the roll-up waits for half of it, and takes turns of a second
    )


@dataclass(frozen=True)
class ServingSettings:
    """Settings of the server."""

    host: str = option("127.0.0.1", help="address to bind; any other needs NETOPS_TOKEN")
    hosts: tuple[str, ...] = option((), help="further host names (for example of a proxy) of a server on 127.0.0.1")
    port: int = option(8080, help="port", minimum=0, maximum=65535)
    syslog: str = option(
        "", help="IP address and port for syslog over UDP and TCP, such as 127.0.0.1:5514; empty: no syslog"
    )
    syslog_from: tuple[str, ...] = option(
        (), help="networks (CIDR) that syslog is accepted from; required unless the address is local"
    )
    exact_reasons: int = option(
        100,
        help="maximum alerting samples per request with exact contributions; others get approximate ones",
        minimum=0,
    )
    time: TimeSettings = option(TimeSettings, help="event time")
    limits: LimitSettings = option(LimitSettings, help="limits")
    messages: MessageSettings = option(MessageSettings, help="log messages and events")
    state: StateSettings = option(StateSettings, help="state on disk")
    stream: StreamSettings = option(StreamSettings, help="samples from a Kafka topic")
    receivers: tuple[ReceiverSettings, ...] = option((), help="receivers of alerts")

    def __post_init__(self) -> None:
        networks = parse_networks(self.syslog_from)
        if self.syslog:
            check_access(parse_address(self.syslog), networks)
