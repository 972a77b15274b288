"""Deliveries: threads that empty the outbox, one for each receiver, whatever the receiver does."""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, time

from netops.serving.alerts.outbox import OPENED, Row
from netops.serving.alerts.receivers import TIMEOUT, FailedError, Receiver, RefusedError, make_receiver
from netops.serving.alerts.store import Alert, AlertStore, alert_of
from netops.serving.http.metrics import ServingMetrics
from netops.serving.settings import ReceiverSettings

_LOG = logging.getLogger(__name__)

#: Seconds between two looks at the outbox, and the longest pause between two tries.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
#: Rows, or alerts to repeat, that are read at once.
_ROWS = 200
#: A receiver that fails so many events one after the other is down.
_IN_A_ROW = 3


class Deliveries:
    """Tells the receivers what they have to be told, in a thread for each.

    Parameters
    ----------
    path : Path
        The alert store.
    receivers : sequence of ReceiverSettings
        Whom to tell.
    metrics : ServingMetrics
    """

    def __init__(self, path: Path, receivers: Sequence[ReceiverSettings], metrics: ServingMetrics) -> None:
        self._path, self._stopped = path, threading.Event()
        self._couriers = [
            Courier(f"{one.kind} {one.url}", make_receiver(one), path, metrics, self._stopped) for one in receivers
        ]
        self._threads = [
            threading.Thread(target=courier.run, daemon=True, name=f"deliveries to {courier.name}")
            for courier in self._couriers
        ]

    @property
    def names(self) -> list[str]:
        """Names of the receivers, as the store knows them."""
        return [courier.name for courier in self._couriers]

    def start(self) -> None:
        """Begin to tell; one thread a receiver, so that none waits for another."""
        for thread in self._threads:
            thread.start()

    def reopen(self) -> None:
        """Have the threads open the store again: the file at its path is another one."""
        for courier in self._couriers:
            courier.reopen.set()

    def stop(self) -> None:
        """End; what is not told yet is told after the next start."""
        self._stopped.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(TIMEOUT + 1)


class Courier:
    """Takes what is due to one receiver, and repeats what is open where the receiver wants that.

    Parameters
    ----------
    name : str
        The receiver's, as the store knows it.
    receiver : Receiver
    path : Path
        The alert store.
    metrics : ServingMetrics
    stopped : threading.Event
        Set when it has to end.
    """

    def __init__(
        self, name: str, receiver: Receiver, path: Path, metrics: ServingMetrics, stopped: threading.Event
    ) -> None:
        self.name, self.reopen = name, threading.Event()
        self._receiver, self._metrics, self._stopped = receiver, metrics, stopped
        self._store = AlertStore(path)
        self._tries, self._in_a_row = 0, 0
        # Sent, but not noted yet: a locked file must not have them sent twice.
        self._taken: list[Row] = []
        self._repeated, self._repeat_from = monotonic(), ""

    def run(self) -> None:
        """Deliver until it is stopped; nothing that a receiver or the disk does ends it."""
        pause = FIRST_PAUSE
        while not self._stopped.wait(pause):
            try:
                pause = self._round()
            except FailedError as error:
                pause = self._down(error)
            except Exception as error:  # noqa: BLE001
                # The store is locked, damaged or gone, or there is a bug: the next round may go well.
                _LOG.warning("deliveries to %s: %s: %s", self.name, type(error).__name__, error)
                self._store.close()
                pause = self._down(None)
        self._store.close()
        self._receiver.close()

    def _round(self) -> float:
        """Send what is due now; give the seconds until there may be more."""
        if self.reopen.is_set():
            self.reopen.clear()
            self._store.close()
            self._taken.clear()
        self._acknowledge([])
        rows = self._store.outbox.due(self.name, time(), _ROWS)
        for start in range(0, len(rows), self._receiver.batch):
            if self._stopped.is_set():
                return 0.0
            self._deliver(rows[start : start + self._receiver.batch])
        if self._receiver.repeat is not None:
            self._repeat(self._receiver.repeat)
        self._tries = 0
        return 0.0 if len(rows) == _ROWS else FIRST_PAUSE

    def _deliver(self, rows: Sequence[Row]) -> None:
        outbox = self._store.outbox
        try:
            self._receiver.send([(row.event, alert_of(row.body, row.verdict)) for row in rows])
        except RefusedError as error:
            if len(rows) > 1:  # find out which one
                self._deliver(rows[: len(rows) // 2])
                self._deliver(rows[len(rows) // 2 :])
                return
            outbox.park(rows[0], str(error))
            self._count("parked")
            _LOG.warning(
                "%s refuses alert event %d, which is parked (netops alerts deliveries): %s",
                self.name,
                rows[0].number,
                error,
            )
        except Exception as error:
            failure = error if isinstance(error, FailedError) else FailedError(f"{type(error).__name__}: {error}")
            due = time() + (failure.retry_after or _pause(max(row.tries for row in rows)))
            for row in rows:  # a batch stays one, in its order
                outbox.later(row, due, str(failure))
            self._count("failed", len(rows))
            self._in_a_row += 1
            if failure.down or self._in_a_row >= _IN_A_ROW:
                raise failure from error
            _LOG.warning("%s did not take alert event %d and gets it again: %s", self.name, rows[0].number, failure)
            return
        else:
            self._acknowledge(rows)
            self._count("told", len(rows))
        self._in_a_row = 0

    def _acknowledge(self, rows: Sequence[Row]) -> None:
        self._taken += rows
        if self._taken:
            self._store.outbox.done(self._taken)
            self._taken.clear()

    def _repeat(self, every: float) -> None:
        """Send all open alerts again, batch by batch; what fails is continued in the next round."""
        if not self._repeat_from and monotonic() - self._repeated < every:
            return
        while alerts := self._store.to_repeat(self.name, self._repeat_from, _ROWS):
            for start in range(0, len(alerts), self._receiver.batch):
                if self._stopped.is_set():
                    return
                self._send_again(alerts[start : start + self._receiver.batch])
            self._repeat_from = alerts[-1].id
        self._repeated, self._repeat_from = monotonic(), ""

    def _send_again(self, alerts: Sequence[Alert]) -> None:
        try:
            self._receiver.send([(OPENED, alert) for alert in alerts])
        except RefusedError:
            # Refused before by itself, or changed since; its own rows say which.
            half = len(alerts) // 2
            for part in (alerts[:half], alerts[half:]) if half else ():
                self._send_again(part)

    def _down(self, error: FailedError | None) -> float:
        """Wait longer with each failure in a row, or as long as the receiver asks."""
        pause = _pause(self._tries)
        self._tries += 1
        if error is None:
            return pause
        wait = pause if error.retry_after is None else max(error.retry_after, FIRST_PAUSE)
        _LOG.warning("%s does not take alerts; the next try is in %.1f s: %s", self.name, wait, error)
        return wait

    def _count(self, result: str, number: int = 1) -> None:
        kind = self.name.partition(" ")[0]
        self._metrics.deliveries.labels(self._metrics.network, kind, result).inc(number)


def _pause(tries: int, draw: Callable[[float, float], float] = random.uniform) -> float:
    """Give the seconds before the next try: twice as long each time, with jitter so that senders do not meet."""
    return min(FIRST_PAUSE * 2 ** min(tries, 30), LONGEST_PAUSE) * draw(0.5, 1.0)
