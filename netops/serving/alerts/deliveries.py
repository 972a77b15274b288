"""Delivery of alerts: one thread per receiver sends the events in the outbox and retries failures."""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, time

from netops.serving.alerts.outbox import OPENED, Row
from netops.serving.alerts.receivers.protocol import TIMEOUT, FailedError, Receiver, RefusedError
from netops.serving.alerts.receivers.registry import make_receiver
from netops.serving.alerts.store import Alert, AlertStore, alert_of
from netops.serving.engine.lease import FencedError, SuspendedError
from netops.serving.engine.metrics import ServingMetrics
from netops.serving.settings import ReceiverSettings

_LOG = logging.getLogger(__name__)

#: Seconds between two polls of the outbox, and the maximum pause between two attempts.
FIRST_PAUSE, MAX_PAUSE = 0.5, 60.0
#: Maximum rows, or alerts to repeat, read at once.
_ROWS = 200
#: Consecutive failures after which a receiver counts as down.
_MAX_FAILURES = 3


class Deliveries:
    """Sends alert events to the receivers, with one thread per receiver.

    Parameters
    ----------
    path : Path
        The alert store.
    receivers : sequence of ReceiverSettings
        The receivers.
    metrics : ServingMetrics
    fence : callable, optional
        Raises an exception if another process has taken over the store; then nothing more is sent.
    flush : callable
        Makes the store durable where that takes another step than writing it.
    """

    def __init__(
        self,
        path: Path,
        receivers: Sequence[ReceiverSettings],
        metrics: ServingMetrics,
        fence: Callable[[], None] | None = None,
        flush: Callable[[], None] = lambda: None,
    ) -> None:
        self._path, self._stopped = path, threading.Event()
        self._couriers = [
            Courier(
                f"{one.kind} {one.url}",
                make_receiver(one.kind, one.url),
                path,
                metrics,
                self._stopped,
                fence,
                flush,
            )
            for one in receivers
        ]
        self._threads = [
            threading.Thread(target=courier.run, daemon=True, name=f"deliveries to {courier.name}")
            for courier in self._couriers
        ]

    @property
    def names(self) -> list[str]:
        """Names of the receivers in the store."""
        return [courier.name for courier in self._couriers]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def reopen(self) -> None:
        """Make the threads reopen the store, because the file was replaced."""
        for courier in self._couriers:
            courier.reopen.set()

    def end(self) -> None:
        """Let the threads end, without waiting for them."""
        self._stopped.set()

    def stop(self) -> None:
        """Stop the threads; pending events are sent after the next start."""
        self.end()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(TIMEOUT + 1)


class Courier:
    """Delivers pending events to one receiver, and repeats open alerts if the receiver requires it.

    Parameters
    ----------
    name : str
        Name of the receiver in the store.
    receiver : Receiver
    path : Path
        The alert store.
    metrics : ServingMetrics
    stopped : threading.Event
        Set to stop the thread.
    fence : callable, optional
        Called before each round; an exception ends the thread, unless the lease is only suspended.
    flush : callable
        Called before events are sent, and after: both are in the state that another process takes over.
    """

    def __init__(
        self,
        name: str,
        receiver: Receiver,
        path: Path,
        metrics: ServingMetrics,
        stopped: threading.Event,
        fence: Callable[[], None] | None = None,
        flush: Callable[[], None] = lambda: None,
    ) -> None:
        self.name, self.reopen = name, threading.Event()
        self._receiver, self._metrics, self._stopped = receiver, metrics, stopped
        self._fence, self._flush = fence, flush
        self._store = AlertStore(path)
        self._tries, self._failures = 0, 0
        # Sent but not acknowledged yet: a locked file must not cause a second delivery.
        self._sent: list[Row] = []
        self._repeated, self._repeat_from = monotonic(), ""

    def run(self) -> None:
        """Deliver until stopped; errors of the receiver or the disk do not end the loop."""
        pause = FIRST_PAUSE
        while not self._stopped.wait(pause):
            try:
                if self._fence is not None:
                    self._fence()
                pause = self._round()
            except SuspendedError:
                pause = FIRST_PAUSE
            except FencedError:
                break
            except FailedError as error:
                pause = self._backoff(error)
            except Exception as error:  # noqa: BLE001
                # The store is locked, damaged or missing, or there is a bug: the next round may succeed.
                _LOG.warning("deliveries to %s: %s: %s", self.name, type(error).__name__, error)
                self._store.close()
                pause = self._backoff(None)
        self._store.close()
        self._receiver.close()

    def _round(self) -> float:
        """Send the events that are due; return the seconds until the next poll."""
        if self.reopen.is_set():
            self.reopen.clear()
            self._store.close()
            self._sent.clear()
        self._acknowledge([])
        rows = self._store.outbox.due(self.name, time(), _ROWS)
        if rows:
            self._flush()
        for start in range(0, len(rows), self._receiver.batch):
            if self._stopped.is_set():
                return 0.0
            self._deliver(rows[start : start + self._receiver.batch])
        if rows:
            self._flush()
        if self._receiver.repeat is not None:
            self._repeat(self._receiver.repeat)
        self._tries = 0
        return 0.0 if len(rows) == _ROWS else FIRST_PAUSE

    def _deliver(self, rows: Sequence[Row]) -> None:
        outbox = self._store.outbox
        try:
            self._receiver.send([(row.event, alert_of(row.body, row.verdict)) for row in rows])
        except RefusedError as error:
            if len(rows) > 1:  # find the rejected one
                self._deliver(rows[: len(rows) // 2])
                self._deliver(rows[len(rows) // 2 :])
                return
            outbox.park(rows[0], str(error))
            self._count("parked")
            _LOG.warning(
                "%s rejected alert event %d, which is parked (see 'netops alerts deliveries'): %s",
                self.name,
                rows[0].number,
                error,
            )
        except Exception as error:
            failure = error if isinstance(error, FailedError) else FailedError(f"{type(error).__name__}: {error}")
            due = time() + (failure.retry_after or _pause(max(row.tries for row in rows)))
            for row in rows:  # a batch is retried as a whole, in order
                outbox.later(row, due, str(failure))
            self._count("failed", len(rows))
            self._failures += 1
            if failure.down or self._failures >= _MAX_FAILURES:
                raise failure from error
            _LOG.warning(
                "%s did not accept alert event %d, which will be retried: %s", self.name, rows[0].number, failure
            )
            return
        else:
            self._acknowledge(rows)
            self._count("told", len(rows))
        self._failures = 0

    def _acknowledge(self, rows: Sequence[Row]) -> None:
        self._sent += rows
        if self._sent:
            self._store.outbox.done(self._sent)
            self._sent.clear()

    def _repeat(self, every: float) -> None:
        """Send all open alerts again in batches; after a failure, continue in the next round."""
        if not self._repeat_from and monotonic() - self._repeated < every:
            return
        self._flush()
        while alerts := self._store.to_repeat(self.name, self._repeat_from, _ROWS):
            for start in range(0, len(alerts), self._receiver.batch):
                if self._stopped.is_set():
                    return
                self._resend(alerts[start : start + self._receiver.batch])
            self._repeat_from = alerts[-1].id
        self._repeated, self._repeat_from = monotonic(), ""

    def _resend(self, alerts: Sequence[Alert]) -> None:
        try:
            self._receiver.send([(OPENED, alert) for alert in alerts])
        except RefusedError:
            # An alert in the batch was rejected; its own event reports it.
            half = len(alerts) // 2
            for part in (alerts[:half], alerts[half:]) if half else ():
                self._resend(part)

    def _backoff(self, error: FailedError | None) -> float:
        """Return the pause after a failure: exponential backoff, or what the receiver requests."""
        pause = _pause(self._tries)
        self._tries += 1
        if error is None:
            return pause
        wait = pause if error.retry_after is None else max(error.retry_after, FIRST_PAUSE)
        _LOG.warning("%s does not accept alerts, retrying in %.1f s: %s", self.name, wait, error)
        return wait

    def _count(self, result: str, number: int = 1) -> None:
        kind = self.name.partition(" ")[0]
        self._metrics.deliveries.labels(self._metrics.network, kind, result).inc(number)


def _pause(tries: int, draw: Callable[[float, float], float] = random.uniform) -> float:
    """Return the seconds before the next attempt: exponential backoff with jitter."""
    return min(FIRST_PAUSE * 2 ** min(tries, 30), MAX_PAUSE) * draw(0.5, 1.0)
