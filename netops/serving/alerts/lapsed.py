"""Lapsed alerts: alerts that have ended but may continue.

An expired alert continues if the risk reaches the threshold again within a cool-down. An alert that was open when
the server stopped, but is not in the restored state, is doubted: replayed samples may open it again, and then its
end must not be reported. A lapsed alert that does not continue in time ends.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from netops.serving.alerts.store import Alert, Kind
from netops.serving.decode.times import iso, nanoseconds

Key = tuple[Kind, str]
#: Maximum renewals of an alert, so that its size is bounded.
MAX_RENEWALS = 1000
EXPIRED, LOST = "expired", "not held by the restored state"


def latest_opening(alert: Alert) -> int:
    """Return the time (ns) at which an alert opened or was last renewed."""
    return nanoseconds(alert.renewed[-1] if alert.renewed else alert.opened)


@dataclass
class Lapse:
    """A lapsed alert.

    Attributes
    ----------
    key : tuple of kind and str
        Kind and device (or site) of the alert.
    alert : Alert
    until : int or None
        Event time (ns) after which it ends; None for a doubted alert until the device's time passes its opening.
    in_doubt : bool
        Whether it was open when the server stopped.
    """

    key: Key
    alert: Alert
    until: int | None
    in_doubt: bool

    def continues(self, opened: int) -> bool:
        """Return whether an alert that opens now continues this one."""
        if len(self.alert.renewed) >= MAX_RENEWALS or opened <= latest_opening(self.alert):
            return False
        return self.until is None or opened <= self.until


class Lapsed:
    """The lapsed alerts of a network, by kind and device.

    Parameters
    ----------
    wait : callable
        Returns the nanoseconds of event time after which a lapsed alert ends: the cool-down.
    """

    def __init__(self, wait: Callable[[], int]) -> None:
        self._wait = wait
        # One expired and one doubted alert per key: the doubted one may have opened after the expired one.
        self._all: dict[tuple[Key, bool], Lapse] = {}
        self._next: int | None = None

    def __iter__(self) -> Iterator[Alert]:
        """Iterate over the alerts."""
        return (lapse.alert for lapse in self._all.values())

    def expire(self, key: Key, alert: Alert) -> Lapse | None:
        """Add an expired alert; return the one it replaces, if any."""
        calm_since = nanoseconds(str(alert.calm_since or alert.ended))
        return self._add(Lapse(key, alert, calm_since + self._wait(), False))

    def doubt(self, key: Key, alert: Alert) -> Lapse | None:
        """Add a doubted alert; return the one it replaces, if any."""
        return self._add(Lapse(key, alert, None, True))

    def of(self, key: Key) -> list[Lapse]:
        """Return the lapsed alerts of a key: the expired one, then the doubted one."""
        return [self._all[key, in_doubt] for in_doubt in (False, True) if (key, in_doubt) in self._all]

    def remove(self, lapse: Lapse) -> None:
        """Remove an alert."""
        self._all.pop((lapse.key, lapse.in_doubt), None)

    def expired(self) -> list[Alert]:
        """Return the expired alerts, whose end is not reported yet."""
        return [lapse.alert for lapse in self._all.values() if not lapse.in_doubt]

    def doubted(self, kind: Kind) -> list[Alert]:
        """Return the doubted alerts of a kind."""
        return [one.alert for one in self._all.values() if one.key[0] == kind and one.in_doubt]

    def due(self, now: int, time_of: Callable[[Key], int]) -> list[Lapse]:
        """Remove and return the alerts whose wait is over.

        Parameters
        ----------
        now : int
            Event time of the network (ns).
        time_of : callable
            Returns the time of a key's device, which may be behind the network while it sends a backlog.
        """
        if not self._all or (self._next is not None and now < self._next):
            return []
        found = []
        for lapse in list(self._all.values()):
            time = time_of(lapse.key)
            if lapse.until is None and time > latest_opening(lapse.alert):
                lapse.until = time + self._wait()
            elif lapse.until is not None and time > lapse.until:
                self.remove(lapse)
                found.append(lapse)
        self._plan(now)
        return found

    def _add(self, lapse: Lapse) -> Lapse | None:
        displaced = self._all.pop((lapse.key, lapse.in_doubt), None)
        self._all[lapse.key, lapse.in_doubt], self._next = lapse, None
        return displaced

    def _plan(self, now: int) -> None:
        """Compute the time of the next check, so that requests do not scan all alerts needlessly."""
        times = [
            latest_opening(lapse.alert) if lapse.until is None else lapse.until for lapse in self._all.values()
        ]
        self._next = max(min(times), now + 1) if times else None


def closed_alert(lapse: Lapse, now: int) -> Alert:
    """End an alert that did not continue."""
    alert = lapse.alert
    if lapse.in_doubt:
        alert.ended, alert.end_reason = iso(max(now, latest_opening(alert))), LOST
    return alert
