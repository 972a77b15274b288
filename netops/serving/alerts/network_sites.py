"""The roll-up of a network whose partitions are in several processes: what is exchanged, and what waits for it.

The owner of partition 0 rolls up the alerts of all partitions. The other owners report their risk alerts, and send
none of them until it is decided whether they are part of a site alert, or their wait is over.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import time

import msgspec

from netops.serving.alerts.store import Alert, Hold, may_roll_up

#: An event that is due within this many seconds counts as sent: its delivery may have begun.
_MARGIN = 0.5


@dataclass(frozen=True)
class NetworkRollUp:
    """How a partition takes part in the roll-up of its network.

    Attributes
    ----------
    wait : float
        Seconds that a risk alert waits for the decision; then it is sent individually.
    aggregates : bool
        Whether the site alerts of the network are stored with this partition.
    """

    wait: float
    aggregates: bool


class RollUpAlert(msgspec.Struct):
    """A risk alert: ``opened`` is in nanoseconds; ``held`` if it waits for the decision."""

    id: str
    device: str
    opened: int
    company: str | None
    data_center: str | None
    held: bool
    ended: bool
    rolled_up: str | None


class Decision(msgspec.Struct):
    """What is decided for alerts, by id.

    ``rolled_up``: the id of their site alert. ``unrolled``: their site alert has ended. ``released``: they are part
    of none and are sent. ``token`` is the fencing token of partition 0.
    """

    token: int
    rolled_up: dict[str, str] = {}
    unrolled: list[str] = []
    released: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.rolled_up or self.unrolled or self.released)


@dataclass
class HeldAlerts:
    """The alerts of a partition that wait for the decision.

    Attributes
    ----------
    wait : float
        Seconds that an alert waits.
    clock : callable
        Returns seconds since the epoch.
    """

    wait: float
    clock: Callable[[], float] = time
    _alerts: dict[str, Alert] = field(default_factory=dict)
    _until: dict[str, float] = field(default_factory=dict)
    _released: set[str] = field(default_factory=set)

    @property
    def is_changed(self) -> bool:
        """Whether there are alerts to release in the store."""
        return bool(self._released)

    def hold(self) -> Hold:
        """Return what the store needs to know."""
        now = self.clock()
        return Hold(now, now + self.wait, tuple(self._released))

    def saved(self, alerts: Iterable[Alert], hold: Hold, known: Callable[[str], bool]) -> None:
        """Note alerts that have been stored: those that are not known to have been sent wait from now on."""
        self._released.difference_update(hold.released)
        for alert in alerts:
            if alert.id in self._until:
                self._alerts[alert.id] = alert
            elif may_roll_up(alert) and not (alert.silenced or alert.rolled_up or known(alert.id)):
                self._alerts[alert.id], self._until[alert.id] = alert, hold.until

    def restore(self, until: Mapping[str, float], find: Callable[[str], Alert | None]) -> None:
        """Restore the alerts that wait from the store."""
        for name, due_at in until.items():
            if (alert := find(name)) is not None and alert.kind == "risk":
                self._alerts[name], self._until[name] = alert, due_at

    def alerts(self) -> list[Alert]:
        """Return the alerts that wait; those whose wait is over are forgotten."""
        now = self.clock()
        for name in [name for name, due_at in self._until.items() if due_at - _MARGIN <= now]:
            self.remove(name)
        return list(self._alerts.values())

    def release(self, name: str) -> None:
        """Let an alert be sent."""
        if self.remove(name) is not None:
            self._released.add(name)

    def remove(self, name: str) -> Alert | None:
        """Remove an alert that does not wait any longer; None if it does not wait."""
        self._until.pop(name, None)
        return self._alerts.pop(name, None)
