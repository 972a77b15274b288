"""Log messages of a generated network: routine, before incidents, of benign events, after restarts; as syslog."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from netops.config.durations import DAY, HOUR, MINUTE, SECOND
from netops.files import atomic_path
from netops.simulator.log_settings import GeneratedLogSettings
from netops.simulator.log_texts import BENIGN, FAILED, PRECURSORS, RESTARTED, ROUTINE, Text, in_style_of_junos
from netops.simulator.network import Network, benign_events, channels
from netops.simulator.tables import Floats, Ints
from netops.simulator.truth import PRECURSOR_START, SCENARIO
from netops.telemetry.dataset import Dataset
from netops.telemetry.schema import DEVICE, END, START

_FACILITY = 23  # local7, as network devices use by default
#: Purposes of random numbers, so that one kind of messages does not depend on the others.
_CHATTER, _INCIDENT, _CALM, _FALSE, _VALUES, _STYLE = range(6)
_USERS = ("admin", "backup", "monitor", "netops", "root", "script")
#: Length of a burst of messages as before an incident.
_BURST = 3 * MINUTE
_PREFIXES = ("Ethernet", "GigabitEthernet0/", "xe-0/0/")
_JUNOS_PREFIX = "et-0/0/"


class Message(NamedTuple):
    """A message: nanoseconds, device and text."""

    time: int
    device: int
    text: Text


@dataclass(frozen=True)
class _Emitter:
    network: Network
    settings: GeneratedLogSettings

    def draw(self, *path: int) -> np.random.Generator:
        """Return random numbers for a device and a purpose."""
        return np.random.default_rng([self.network.seed, *path])

    def routine(self, device: int, day: int) -> Iterator[Message]:
        """Yield the routine messages of a day: frequent and rare ones, more of them by day, and bursts."""
        settings, draw = self.settings, self.draw(_CHATTER, device, day)
        for hour in range(24):
            height = 1 + settings.daily * np.sin(2 * np.pi * (hour - 8) / 24)
            for _ in range(draw.poisson(settings.per_hour * height)):
                yield self._at(device, day, hour, draw, _rank(draw))
            for _ in range(draw.poisson(settings.bursts)):
                first = self._at(device, day, hour, draw, _rank(draw))
                moments = first.time + np.cumsum(draw.integers(SECOND // 20, SECOND, draw.integers(5, 40)))
                yield from (first._replace(time=int(moment)) for moment in moments)

    def _at(self, device: int, day: int, hour: int, draw: np.random.Generator, rank: int) -> Message:
        return Message(day * DAY + hour * HOUR + int(draw.integers(0, HOUR)), device, ROUTINE[rank])

    def precursor(self, device: int, scenario: str, precursor: int, start: int) -> Iterator[Message]:
        """Yield the messages before an incident, more and more of them."""
        settings, draw = self.settings, self.draw(_INCIDENT, device, start // SECOND)
        texts, early = self._texts(scenario), settings.early if draw.random() < settings.early_share else 0
        count = draw.poisson(settings.precursor_messages)
        # The root of a uniform number has a density that rises linearly.
        moments = start - (start - precursor + early) * (1 - np.sqrt(draw.random(count)))
        yield from self._some(device, draw, texts, moments)

    def incident(self, device: int, start: int, end: int) -> Iterator[Message]:
        """Yield the messages at the start of an incident and after it."""
        yield from (Message(start + (n + 1) * SECOND, device, text) for n, text in enumerate(FAILED))
        yield from (Message(end + (n + 1) * SECOND, device, text) for n, text in enumerate(RESTARTED))

    def benign(self, device: int, name: str, start: int, end: int) -> Iterator[Message]:
        """Yield the messages of a benign event; some are those of an incident."""
        draw = self.draw(_CALM, device, start // SECOND)
        texts = BENIGN.get(type(self.network.settings.scenarios[name]), ())
        yield from (Message(start + (n + 1) * SECOND, device, text) for n, text in enumerate(texts))
        if draw.random() < self.settings.lookalike_share:
            yield from self._burst(device, draw, int(draw.integers(start, end)))

    def false(self, device: int, day: int) -> Iterator[Message]:
        """Yield messages as before an incident, without an event: bursts and single ones."""
        draw = self.draw(_FALSE, device, day)
        for _ in range(draw.poisson(self.settings.false_precursors)):
            yield from self._burst(device, draw, day * DAY + int(draw.integers(0, DAY)))
        for _ in range(draw.poisson(self.settings.strays)):
            yield from self._some(device, draw, self._any(draw), day * DAY + draw.integers(0, DAY, 1))

    def _burst(self, device: int, draw: np.random.Generator, start: int) -> Iterator[Message]:
        count = 1 + draw.poisson(self.settings.precursor_messages / 4)
        yield from self._some(device, draw, self._any(draw), start + draw.integers(0, _BURST, count))

    def _some(
        self, device: int, draw: np.random.Generator, texts: Sequence[Text], moments: Ints | Floats
    ) -> Iterator[Message]:
        for moment in moments.tolist():
            yield Message(int(moment), device, texts[draw.integers(len(texts))])

    def _texts(self, scenario: str) -> Sequence[Text]:
        kind = type(self.network.settings.scenarios[scenario])
        return next((texts for known, texts in PRECURSORS.items() if issubclass(kind, known)), FAILED)

    def _any(self, draw: np.random.Generator) -> Sequence[Text]:
        return list(PRECURSORS.values())[draw.integers(len(PRECURSORS))]


def _rank(draw: np.random.Generator) -> int:
    """Draw a routine message: few are frequent, many are rare."""
    return int((len(ROUTINE) + 1) ** draw.random()) - 1


def write_logs(network: Network, dataset: Dataset, settings: GeneratedLogSettings, path: Path) -> int:
    """Write the log messages of a network as syslog, in the order of time.

    Parameters
    ----------
    network : Network
    dataset : Dataset
        Its telemetry, whose generated incidents have messages; those that people recorded have none.
    settings : GeneratedLogSettings
    path : Path
        The file; it appears when it is complete. The same network and settings give the same bytes.

    Returns
    -------
    int
        The number of lines.
    """
    first, last = network.start, network.time_of(network.first + network.ticks)
    emitter, lines = _Emitter(network, settings), 0
    events = sorted(_events(emitter, dataset))
    with atomic_path(path) as draft, draft.open("w", encoding="utf-8", newline="\n") as file:
        for day in range(first // DAY, -(-last // DAY)):
            messages = [event for event in events if day * DAY <= event.time < (day + 1) * DAY]
            for device in range(network.devices):
                messages += emitter.routine(device, day)
                messages += emitter.false(device, day)
            for message in sorted(message for message in messages if first <= message.time < last):
                file.write(_line(network, settings, message))
                lines += 1
    return lines


def _events(emitter: _Emitter, dataset: Dataset) -> Iterator[Message]:
    for device in range(emitter.network.devices):
        for name, start, end in benign_events(emitter.network, device):
            yield from emitter.benign(device, name, start, end)
    table, known = dataset.incidents(), emitter.network.settings.scenarios
    index = {name: number for number, name in enumerate(emitter.network.fleet.names)}
    numbers = {
        name: channels(emitter.network, index[name]) for name in set(table.column(DEVICE).to_pylist()) & set(index)
    }
    times = [table.column(name).cast(pa.int64()).to_pylist() for name in (PRECURSOR_START, START, END)]
    columns = (table.column(DEVICE).to_pylist(), table.column(SCENARIO).to_pylist(), *times)
    for device, scenario, precursor, start, end in zip(*columns, strict=True):
        # Recorded incidents have no precursor.
        if scenario in known and precursor is not None:
            if numbers[device].get(precursor, 1.0) < emitter.settings.precursor_share:
                yield from emitter.precursor(index[device], scenario, precursor, start)
            yield from emitter.incident(index[device], start, end)


@cache
def _is_junos(seed: int, device: int, share: float) -> bool:
    """Return whether a device writes in the style of Junos."""
    return share > 0 and bool(np.random.default_rng([seed, _STYLE, device]).random() < share)


def _line(network: Network, settings: GeneratedLogSettings, message: Message) -> str:
    is_junos = _is_junos(network.seed, message.device, settings.junos_share)
    severity, program, text = in_style_of_junos(message.text) if is_junos else message.text
    draw = np.random.default_rng([network.seed, _VALUES, message.device, message.time // 1_000_000])
    prefix = _JUNOS_PREFIX if is_junos else _PREFIXES[message.device % len(_PREFIXES)]
    ip, ports = draw.integers(1, 255, 2), draw.integers(1, 49)
    values = {"ip": f"10.{message.device % 250}.{ip[0]}.{ip[1]}", "iface": f"{prefix}{ports}"}
    values |= {"n": str(draw.integers(1, 100)), "big": str(draw.integers(100, 1_000_000))}
    body = text.format(user=_USERS[draw.integers(len(_USERS))], **values)
    host, priority = network.fleet.names[message.device].replace(" ", ""), 8 * _FACILITY + severity
    moment = np.datetime64(message.time // 1_000_000, "ms")
    if settings.format == "rfc5424":
        return f"<{priority}>1 {moment}Z {host} {program} - - - {body}\n"
    return f"<{priority}>{moment.item():%b %e %H:%M:%S} {host} {program}: {body}\n"
