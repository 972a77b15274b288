"""A scenario of samples and receivers, run once without a failure and once with kills: both come to the same.

Samples come out of order, one device sends a backlog, champions change, and the receivers refuse, fail, limit,
redirect and talk nonsense. What is compared: every answer, every alert with its times, and what each receiver took
or refused.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from netops.serving.alerts.store import AlertStore
from netops.serving.settings import ReceiverSettings
from tests.serving.hooks import Answer, Hook, status
from tests.serving.samples import sample

ALERTING = {"cooldown": "2m", "expire": "2m", "roll_up": {"devices": 4, "share": 0.5}}
#: Ticks of a cool-down.
COOLDOWN = 24
DEVICES, CUT_OFF = 12, 11


def requests(ticks: int, seed: int) -> list[list[dict]]:
    """The samples of each request. At the end all risks are low for long enough to end every alert."""
    random = np.random.default_rng(seed)
    hot = np.zeros((ticks, DEVICES), bool)
    for device in range(DEVICES):
        tick = int(random.integers(3, 40))
        while tick < ticks - 5 * COOLDOWN:
            length = int(random.choice([1, 3, 8, 40, 70]))
            hot[tick : min(tick + length, ticks - 5 * COOLDOWN), device] = True
            tick += length + int(random.integers(4, 3 * COOLDOWN))
    # Several devices of a site at once.
    hot[ticks // 3 : ticks // 3 + 10, :5] = True
    away = range(ticks // 4, ticks // 2)
    found: list[list[dict]] = [[] for _ in range(ticks)]
    for tick in range(ticks):
        for device in range(DEVICES):
            one = sample(
                f"d{device}",
                tick,
                hot=bool(hot[tick, device]),
                latency=float(random.normal()),
                company="c",
                data_center=f"x{device % 2}",
            )
            late = int(random.integers(1, 4)) if random.random() < 0.1 else 0
            at = away.stop if device == CUT_OFF and tick in away else min(tick + late, ticks - 1)
            found[at].append(one)
    return found


def _refuses(body: Any, _: int) -> Answer:
    return status(400, b"unknown device") if int(body["alert"]["id"], 16) % 4 == 1 else status(200)


def _nonsense(body: Any, times: int) -> Answer:
    return (
        [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut", None][times - 1]
        if times < 4
        else status(200)
    )


def _redirects(body: Any, _: int) -> Answer:
    return status(302, Location="/elsewhere") if int(body["alert"]["id"], 16) % 4 == 2 else status(200)


def _fails(body: Any, times: int) -> Answer:
    return status(500 if times < 3 else 204)


class _Limited:
    """Takes three events, then asks for a pause before each further three."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *_: Any) -> Answer:
        self.count += 1
        return status(429, Retry_After="0.05") if self.count % 4 == 0 else status(200)


def _by_alertmanager(batch: Any, _: int) -> Answer:
    return status(400) if any(int(one["labels"]["alert"], 16) % 4 == 3 for one in batch) else status(200)


@dataclass
class Ward:
    """The receivers of one run."""

    hooks: dict[str, Hook] = field(default_factory=dict)

    @property
    def settings(self) -> tuple[ReceiverSettings, ...]:
        return tuple(
            ReceiverSettings("alertmanager" if name == "alertmanager" else "webhook", hook.url)
            for name, hook in self.hooks.items()
        )

    def took(self) -> dict[str, list[Any]]:
        """What each took, each event once, whatever the order."""
        return {
            name: sorted(
                {_event(one) for body in hook.taken for one in (body if isinstance(body, list) else [body])}
            )
            for name, hook in self.hooks.items()
        }

    def twice(self) -> int:
        """How many events a webhook took more than once."""
        counts = [
            len(hook.taken) - len(set(map(_event, hook.taken)))
            for name, hook in self.hooks.items()
            if name != "alertmanager"
        ]
        return sum(counts)


def _event(body: Any) -> tuple[str, ...]:
    if "labels" in body:
        return (body["labels"]["alert"],)
    return body["event"], body["alert"]["id"]


@contextmanager
def ward() -> Iterator[Ward]:
    """Start receivers that do all that receivers do."""
    answers = {
        "refuses": _refuses,
        "nonsense": _nonsense,
        "redirects": _redirects,
        "fails": _fails,
        "limits": _Limited(),
        "alertmanager": _by_alertmanager,
    }
    with ExitStack() as stack:
        yield Ward({name: stack.enter_context(Hook(answer)) for name, answer in answers.items()})


@dataclass
class Outcome:
    """What a run came to."""

    answers: dict[tuple[str, str], tuple[float, bool, str]]
    alerts: dict[str, tuple[Any, ...]]
    took: dict[str, list[Any]]
    parked: dict[str, list[Any]]


class Answers:
    """The scored answer to each sample; one that is given again must be the same."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], tuple[float, bool, str]] = {}

    def add(self, answers: Any) -> None:
        for one in answers:
            if one.status == "scored":
                reported = (one.risk, one.alert, one.model)
                before = self.known.setdefault((one.device, str(one.timestamp)), reported)
                assert before == reported, f"{one.device} {one.timestamp}: {before}, then {reported}"


def outcome(store: AlertStore, receivers: Ward, answers: Answers) -> Outcome:
    """Read what a run came to; nothing may be open or due."""
    assert store.unsettled() == []
    assert store.undelivered() == 0
    parked: dict[str, list[Any]] = {}
    names = {f"{one.kind} {one.url}": name for name, one in zip(receivers.hooks, receivers.settings, strict=True)}
    for entry in store.outbox.entries(["parked"], 100_000):
        parked.setdefault(names[entry.receiver], []).append((entry.event, entry.alert))
    alerts = {
        alert.id: (
            alert.kind,
            alert.device or alert.site,
            alert.opened,
            tuple(alert.renewed),
            # When a site's alert ends depends on which samples came together, and a replay cuts requests anew.
            alert.kind == "site" or alert.ended,
            alert.kind == "site" or alert.end_reason,
            alert.peak,
            tuple(alert.devices),
            bool(alert.rolled_up),
        )
        for alert in store.recent(limit=100_000)
    }
    return Outcome(answers.known, alerts, receivers.took(), {name: sorted(rows) for name, rows in parked.items()})


def promote(file: Path, version: str, model: Path) -> None:
    """Put a model in service for servers that read a champion file."""
    from netops.serving.engine.champion import ChampionFile

    ChampionFile(file).promote(version, model)
