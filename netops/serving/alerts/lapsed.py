"""Alerts that have ended but may go on: expired ones, and those that a restored state does not hold.

An alert that expired goes on when the risk reaches the threshold again before it has been down for a cool-down. An
alert that was open when the server ended, and that the restored state does not hold, is in doubt: samples that are
sent again may open it again, and then nobody must hear that it ended. What does not go on in time is settled.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from netops.serving.alerts.store import Alert, Kind
from netops.serving.decode.times import iso, nanoseconds

Key = tuple[Kind, str]
#: More renewals than this are a new alert, so that no alert grows for ever.
MAX_RENEWALS = 1000
EXPIRED, LOST = "expired", "not held by the restored state"


def latest_opening(alert: Alert) -> int:
    """Give the time (ns) at which an alert opened, or was renewed last."""
    return nanoseconds(alert.renewed[-1] if alert.renewed else alert.opened)


@dataclass
class Lapse:
    """One alert that may go on.

    Attributes
    ----------
    key : tuple of kind and str
        What the alert is about.
    alert : Alert
    until : int or None
        Event time (ns) after which it is settled; None in doubt, until the device has come past its opening.
    in_doubt : bool
        Whether it was open when the server ended.
    """

    key: Key
    alert: Alert
    until: int | None
    in_doubt: bool

    def continues(self, opened: int) -> bool:
        """Tell whether an alert that opens now is this one."""
        if len(self.alert.renewed) >= MAX_RENEWALS or opened <= latest_opening(self.alert):
            return False
        return self.until is None or opened <= self.until


class Lapsed:
    """The lapsed alerts of a network, by what they are about.

    Parameters
    ----------
    wait : callable
        Gives the nanoseconds of event time after which an alert that did not go on is settled: the cool-down.
    """

    def __init__(self, wait: Callable[[], int]) -> None:
        self._wait = wait
        # One of each sort: what is in doubt may have opened after what has expired.
        self._all: dict[tuple[Key, bool], Lapse] = {}
        self._next: int | None = None

    def __iter__(self) -> Iterator[Alert]:
        """Yield the alerts."""
        return (lapse.alert for lapse in self._all.values())

    def expire(self, key: Key, alert: Alert) -> Lapse | None:
        """Add an alert that expired; give one that it displaces."""
        calm_since = nanoseconds(str(alert.calm_since or alert.ended))
        return self._add(Lapse(key, alert, calm_since + self._wait(), False))

    def doubt(self, key: Key, alert: Alert) -> Lapse | None:
        """Add an alert that the restored state does not hold; give one that it displaces."""
        return self._add(Lapse(key, alert, None, True))

    def of(self, key: Key) -> list[Lapse]:
        """List what has lapsed about something: the expired alert, then the one in doubt."""
        return [self._all[key, in_doubt] for in_doubt in (False, True) if (key, in_doubt) in self._all]

    def remove(self, lapse: Lapse) -> None:
        """Remove an alert, to go on or to be settled."""
        self._all.pop((lapse.key, lapse.in_doubt), None)

    def expired(self) -> list[Alert]:
        """List the alerts whose end is known, but not reported yet."""
        return [lapse.alert for lapse in self._all.values() if not lapse.in_doubt]

    def doubted(self, kind: Kind) -> list[Alert]:
        """List the alerts of a kind that the restored state does not hold."""
        return [one.alert for one in self._all.values() if one.key[0] == kind and one.in_doubt]

    def due(self, now: int, time_of: Callable[[Key], int]) -> list[Lapse]:
        """Remove and give those that are settled.

        Parameters
        ----------
        now : int
            Event time of the network (ns).
        time_of : callable
            Gives the time of what an alert is about: a device that sends its backlog is behind the network.
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
        """Say when to look again, so that no request looks at all of them for nothing."""
        times = [
            latest_opening(lapse.alert) if lapse.until is None else lapse.until for lapse in self._all.values()
        ]
        self._next = max(min(times), now + 1) if times else None


def settled(lapse: Lapse, now: int) -> Alert:
    """End an alert that did not go on."""
    alert = lapse.alert
    if lapse.in_doubt:
        alert.ended, alert.end_reason = iso(max(now, latest_opening(alert))), LOST
    return alert
