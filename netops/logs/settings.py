"""The ``logs:`` section: how logs are read, and how templates are learned."""

import codecs
from dataclasses import dataclass

from netops.config.binding import Duration, option
from netops.config.durations import MINUTE, SECOND
from netops.errors import UsageError
from netops.logs.formats.collected import HOST_LABELS
from netops.logs.formats.names import FORMATS
from netops.telemetry.times.zones import check_zone


@dataclass(frozen=True)
class TemplateSettings:
    """Mining of message templates (Drain)."""

    depth: int = option(2, help="number of leading words that are compared exactly", minimum=0, maximum=8)
    similarity: float = option(
        0.7, help="minimum fraction of equal words between a message and its template", minimum=0.0, maximum=1.0
    )
    max_children: int = option(100, help="maximum number of different words at each depth", minimum=1)
    max_templates: int = option(2000, help="maximum number of templates; further messages count as new", minimum=1)
    max_words: int = option(48, help="number of words of a message that are compared", minimum=1)


@dataclass(frozen=True)
class LogSettings:
    """How logs of devices are read."""

    format: str = option("", help="format of the lines; empty: detected for each file", choices=("", *FORMATS))
    timezone: str = option(
        "", help="time zone of times without one, such as Europe/Berlin; empty: `telemetry.timezone`, else UTC"
    )
    year: int | None = option(
        None,
        help="year of the first line, if the times have none (RFC 3164); null: closest to the telemetry",
        minimum=1970,
        maximum=2115,
    )
    encoding: str = option("", help="encoding of the text, such as cp1252; empty: UTF-8, invalid bytes replaced")
    subfolders: bool = option(False, help="whether subfolders are read")
    max_line: int = option(
        65_536, help="maximum length of a line in characters; longer ones are set aside", minimum=80
    )
    host_labels: tuple[str, ...] = option(
        HOST_LABELS, help="labels of Loki streams with the host of a message; the first one present is used"
    )
    paths: tuple[str, ...] = option((), help="files and folders of logs; `--logs` sets it")
    events: tuple[str, ...] = option((), help="CSV files of events (device, time, kind); `--events` sets it")
    max_kinds: int = option(
        32,
        help="maximum number of kinds of events that are counted, the most frequent of the training split",
        minimum=1,
    )
    max_columns: int = option(
        8,
        help="maximum number of templates that are counted, selected on the training split",
        minimum=0,
        maximum=200,
    )
    max_precursors: int = option(
        24,
        help="maximum number of templates that are counted together, those that precede incidents of the training "
        "split most; 0: no such column",
        minimum=0,
        maximum=200,
    )
    statistics: tuple[str, ...] | None = option(
        None,
        help="statistics of the columns that count messages, a choice of those of features.statistics; "
        "null: features.statistics",
    )
    interval: Duration = option(
        MINUTE,
        help="time between two samples of devices, if there is no telemetry at all",
        unit="duration",
        minimum=SECOND,
    )
    only: bool = option(
        False,
        help="whether hosts that have logs and no telemetry become devices, with samples at the interval of the "
        "telemetry and unknown metrics",
    )
    rare: int = option(
        3,
        help="a template of fewer messages of the training split is rare; 1: only those that it does not have",
        minimum=1,
    )
    delay: Duration | None = option(
        None,
        help="how much later than its time a message counts; null: not later. Set it to the longest time that "
        "messages take to the server, so that training counts what the server can count",
        unit="duration",
    )
    templates: TemplateSettings = option(TemplateSettings, help="mining of message templates")

    def __post_init__(self) -> None:
        try:
            check_zone(self.timezone)
        except ValueError as error:
            raise UsageError(f"logs.yaml: timezone: {error}") from None
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError:
            raise UsageError(f"logs.yaml: encoding: unknown encoding '{self.encoding}'") from None
