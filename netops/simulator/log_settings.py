"""The ``generated_logs`` section: what devices of a generated network write to their logs."""

from dataclasses import dataclass

from netops.config.binding import Duration, option
from netops.config.durations import MINUTE


@dataclass(frozen=True)
class GeneratedLogSettings:
    """Log messages of generated devices."""

    enabled: bool = option(False, help="whether `netops run` counts the messages of the network that it generates")
    format: str = option("rfc5424", help="format of the lines", choices=("rfc5424", "rfc3164"))
    junos_share: float = option(
        0.0,
        help="fraction of the devices that write in the style of Junos, the others in that of EOS and IOS",
        minimum=0,
        maximum=1,
    )
    per_hour: float = option(
        40.0, help="mean number of routine messages of a device in an hour", minimum=0, maximum=10_000
    )
    daily: float = option(0.5, help="height of their daily rhythm", minimum=0, maximum=1)
    bursts: float = option(0.1, help="mean number of bursts of a routine message in an hour", minimum=0)
    precursor_share: float = option(
        0.7, help="fraction of the incidents with messages before them", minimum=0, maximum=1
    )
    silent_metrics: float = option(
        0.25,
        help="fraction of the incidents with messages before them whose metrics show nothing before",
        minimum=0,
        maximum=1,
    )
    precursor_messages: float = option(12.0, help="mean number of messages before an incident", minimum=0)
    early_share: float = option(
        0.4, help="fraction of these incidents whose messages begin before the metrics change", minimum=0, maximum=1
    )
    early: Duration = option(10 * MINUTE, help="how much earlier", unit="duration")
    lookalike_share: float = option(
        0.3, help="fraction of the benign events with a burst of such messages", minimum=0, maximum=1
    )
    false_precursors: float = option(
        0.2, help="mean number of bursts of such messages without any event, per device and day", minimum=0
    )
    strays: float = option(2.0, help="mean number of single such messages, per device and day", minimum=0)

    @property
    def silent(self) -> float:
        """Fraction of all incidents that logs alone announce."""
        return self.precursor_share * self.silent_metrics

    @property
    def silent_if_enabled(self) -> float:
        """The same for runs: 0 without logs, so that their telemetry does not depend on this section."""
        return self.silent if self.enabled else 0.0
