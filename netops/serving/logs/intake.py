"""Accept messages and events: find their devices, and keep them for the next samples of these."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from time import time_ns
from typing import TypeVar
from zlib import crc32

from netops.logs.columns import LogColumns
from netops.logs.formats.protocol import Fields
from netops.serving.engine.clock import NEVER
from netops.serving.engine.fleet_state import FleetState
from netops.serving.engine.metrics import ServingMetrics
from netops.serving.engine.replay_point import ReplayPoint
from netops.serving.logs.device_counts import DeviceCounts
from netops.serving.logs.host_names import HostNames
from netops.serving.logs.lines import messages_of
from netops.serving.logs.live_clock import LiveClock
from netops.serving.logs.messages import AHEAD, COUNTED, DUPLICATE, FULL, LATE, UNKNOWN, Counts, Message
from netops.serving.settings import ServingSettings

T = TypeVar("T")
#: Messages that are processed at once: other requests wait for them.
SLICE = 200


class MessageIntake:
    """Accepts messages of one kind, logs or events.

    Parameters
    ----------
    entry : str
        ``logs`` or ``events``.
    state : FleetState
        Receives them; its champion counts such messages.
    settings : ServingSettings
    replay : ReplayPoint
    metrics : ServingMetrics
    """

    def __init__(
        self, entry: str, state: FleetState, settings: ServingSettings, replay: ReplayPoint, metrics: ServingMetrics
    ) -> None:
        self._entry, self._state, self._settings = entry, state, settings
        self._replay, self._metrics = replay, metrics
        self._hosts = HostNames(state.table)
        self._clock = LiveClock(settings.messages.timezone)

    def add(self, messages: Iterable[Message | str], is_repeated: bool = True) -> Counts:
        """Accept messages; a text is the reason why one could not be read.

        Other requests wait meanwhile: split many messages (see :func:`slices`).

        Parameters
        ----------
        messages : iterable of Message or str
        is_repeated : bool
            Whether the sender sends them again after a crash: then the replay point covers them.
        """
        counts, readable = Counts(), []
        for message in messages:
            if isinstance(message, str):
                counts.fail(message)
            else:
                readable.append(message)
        earliest = self._keep(readable, counts)
        if is_repeated and earliest != NEVER:
            self._replay.add(earliest)
        self._metrics.count_messages(self._entry, counts.by_status)
        return counts

    def add_fields(self, fields: Sequence[Fields | str], peer: str = "", is_repeated: bool = True) -> Counts:
        """Accept parsed lines; a text is the reason why one could not be parsed."""
        return self.add(messages_of(fields, self._clock, peer), is_repeated)

    def _keep(self, messages: Sequence[Message], counts: Counts) -> int:
        """Keep messages for the next samples; return the earliest time, NEVER if there are none."""
        state, earliest = self._state, NEVER
        kept = state.counts[self._entry]
        kinds = kept.columns.kinds_of([message.text for message in messages])
        for message, kind in zip(messages, kinds, strict=True):
            status = self._status(kept, message, kind)
            counts.add(status)
            if status == COUNTED:
                earliest = message.time if earliest == NEVER else min(earliest, message.time)
        return earliest

    def _status(self, kept: DeviceCounts, message: Message, kind: int) -> int:
        time, host, severity, text = message
        code, now = self._hosts.code(host), self._state.clock.now
        if code is None and not self._may_be_device(host):
            return UNKNOWN
        # After a pause the network time is behind, and only messages may move it.
        if time > max(now, time_ns()) + self._settings.time.future_limit:
            return AHEAD
        if code is None:
            if self._state.log_devices.is_too_old(time):
                return LATE
            if len(self._state.table) >= self._state.table.capacity:
                return FULL
            code = self._hosts.add(host)
            self._state.log_devices.note(code, time)
        status = kept.add(code, time, severity, kind, crc32(text.encode("utf-8", "replace")), now)
        if status == COUNTED:
            self._state.note_change(code)
            if code in self._state.log_devices:
                self._state.log_devices.note(code, time)
        if status != DUPLICATE and self._state.lines.kept and self._entry == LogColumns.entry:
            self._state.lines.add(code, time, severity, kept.columns.text_of(kind), text)
        return status

    def _may_be_device(self, host: str) -> bool:
        """Return whether a host that sends no metrics becomes a device."""
        is_short = len(host) <= self._settings.limits.name_length
        return bool(self._state.log_devices.interval) and is_short and host.isprintable()


def slices(items: Iterable[T]) -> Iterator[list[T]]:
    """Split into lists of at most ``SLICE`` items."""
    rest = iter(items)
    while part := list(islice(rest, SLICE)):
        yield part
