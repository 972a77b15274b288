"""The open alerts of a network: one a device for its risk, one for its silence, one a site."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from time import monotonic

import numpy as np
import numpy.typing as npt

from netops.alerting.settings import AlertSettings
from netops.alerting.silences import silenced
from netops.alerting.tracker import CLOSED, OPENED, RENEWED
from netops.serving.alerts.lapsed import EXPIRED, Key, Lapse, Lapsed, latest_opening, settled
from netops.serving.alerts.site_alerts import SiteAlerts
from netops.serving.alerts.store import Alert, AlertStore, Kind, identity
from netops.serving.alerts.store_guard import STORE_ERRORS, StoreGuard
from netops.serving.decode.times import iso, nanoseconds
from netops.serving.engine.fleet_state import FleetState
from netops.serving.engine.work import Work
from netops.telemetry.schema import COMPANY, DATA_CENTER, DEVICE

COOLED, HEARD, DROPPED = "cooled down", "heard from again", "device no longer monitored"
#: Changed alerts that are kept in memory while the store cannot be used; of more, the oldest ended ones go.
MAX_UNSAVED = 50_000
_PRUNED_EVERY = 60.0


class ActiveAlerts:
    """Turns what the state machine says into alerts with reasons, and hands them to the store.

    Parameters
    ----------
    network : str
        Whose alerts they are.
    settings : AlertSettings
        Silences, renewals, and when the alerts of a site become one.
    store : AlertStore
        Where they are kept.
    receivers : sequence of str
        Names of the receivers that have to be told.
    state : FleetState
        The devices, and the state machine over their risks.
    replaced : callable
        Called when a damaged store was set aside and a new one takes its place.

    Attributes
    ----------
    open : dict
        (kind, device) → its open alert.
    lapsed : Lapsed
        Alerts that have ended but may go on.
    sites : SiteAlerts
        The open alerts of sites.
    guard : StoreGuard
        Whether the store can be used.
    lost : int
        Changes that no store could take.
    """

    def __init__(
        self,
        network: str,
        settings: AlertSettings,
        store: AlertStore,
        receivers: Sequence[str],
        state: FleetState,
        replaced: Callable[[], None] = lambda: None,
    ) -> None:
        self.network, self.settings, self.store, self.receivers = network, settings, store, list(receivers)
        self.open: dict[tuple[Kind, str], Alert] = {}
        self.lapsed = Lapsed(lambda: state.tracker.policy.cooldown)
        self.sites = SiteAlerts(network, settings.roll_up, self._recall_site)
        self.guard = StoreGuard(store, self._begin_anew)
        self.lost = 0
        self._state, self._replaced = state, replaced
        self._unsaved: dict[str, Alert] = {}
        self._fresh: set[str] = set()
        self._silent: list[tuple[int, str]] = []  # when the alerts of silent devices expire, a heap
        self._moved = self._reconciled = False
        self._known_until = -1
        self._pruned = monotonic()

    def follow(self, state: FleetState, work: Work, live: npt.NDArray[np.bool_]) -> None:
        """Take the risks of a request: alerts open, rise and end, and ``work.alert`` says so sample by sample.

        Parameters
        ----------
        live : bool array, k
            The scored rows that count.
        """
        rows = work.scored[live]
        codes, timestamps = work.codes[rows], work.samples.timestamps[rows]
        if state.tracker.any_open or (work.risks >= state.tracker.policy.threshold).any():
            work.alert = state.tracker.is_open(np.maximum(work.codes, 0)) & (work.codes >= 0)
        indices = np.flatnonzero(live)
        for event in state.tracker.update(codes, timestamps, work.risks[live]):
            index, kind = int(indices[event["row"]]), int(event["kind"])
            row, code, at = int(work.scored[index]), int(event["device"]), int(event["at"])
            work.alert[row:][work.codes[row:] == code] = kind in (OPENED, RENEWED)
            device, peak = str(state.table.names[code]), (float(event["peak"]), int(event["peak_at"]))
            if kind == CLOSED:
                self._end("risk", device, at, COOLED, peak, iso(at - state.tracker.policy.cooldown))
            elif kind != OPENED:
                self._expire(device, at, peak, int(event["below_since"]))
            if kind in (OPENED, RENEWED):
                high = peak if kind == OPENED else (float(work.risks[index]), at)
                self._begin("risk", code, at, high, work, index)
        if self.open:
            self._raise_peaks(state, np.unique(codes[state.tracker.is_open(codes)]).tolist())

    def silence(self, state: FleetState, codes: Iterable[int]) -> None:
        """Open an alert for each device that has fallen silent; its risk is no longer known."""
        for code in codes:
            self._begin("silent", code, int(state.clock.newest[code]) + state.clock.silent_after)
            self._watch_expiry(str(state.table.names[code]))

    def speak(self, state: FleetState, codes: Iterable[int]) -> None:
        """End the silence of devices that are heard again."""
        for code in codes:
            device = str(state.table.names[code])
            self._end("silent", device, int(state.clock.newest[code]), HEARD)
            for lapse in self.lapsed.of(("risk", device)):
                if not lapse.in_doubt and state.tracker.is_open(np.array([code]))[0]:
                    # It expired by the network's time, and the device has not come that far.
                    self._go_on(lapse)

    def drop(self, devices: Iterable[str], now: int) -> None:
        """End the alerts of devices that are no longer kept."""
        for device in devices:
            self._end("risk", device, now, DROPPED)
            self._end("silent", device, now, DROPPED)
            for lapse in self.lapsed.of(("risk", device)):
                self.lapsed.remove(lapse)
                self._settle(lapse)

    def watch(self, now: int) -> None:
        """Settle what did not go on, and let the alerts of silent devices expire, by the network's event time."""
        while self._silent and self._silent[0][0] <= now:
            due, device = heapq.heappop(self._silent)
            alert = self.open.get(("risk", device))
            if alert is not None and ("silent", device) in self.open and self._expiry(alert) == due:
                self._expire(device, due)
        for lapse in self.lapsed.due(now, self._time_of):
            self._settle(lapse)

    def flush(self, state: FleetState) -> None:
        """Roll up and hand changed alerts to the store; while the disk does not take them they are kept here."""
        if not self._reconciled:
            self.reconcile()
        if self._moved:
            self._moved = False
            # What is in doubt belongs to samples that have not been sent again yet.
            risks, doubted = [*self.open.values(), *self.lapsed.expired()], self.lapsed.doubted("site")
            for alert in self.sites.follow(risks, state.table, state.clock.now, self._fresh, doubted):
                self._unsaved[alert.id] = alert
            for site in self.sites.open:
                for lapse in self.lapsed.of(("site", site)):
                    self.lapsed.remove(lapse)
        if self._unsaved or self.guard.trouble:
            self.guard.write(self._save)
            self._limit()
        if monotonic() - self._pruned > _PRUNED_EVERY:
            self._pruned = monotonic()
            self.guard.write(lambda: self._prune(state.clock.now))

    def reconcile(self) -> None:
        """Compare the store with the state that was restored, once the store can be read.

        What the store holds open and the state does not is in doubt, and ended when nothing opens it again; what
        the state holds and the store has lost is written again.
        """
        self._reconciled = self.guard.write(self._reconcile)

    def current(self) -> list[Alert]:
        """List the open alerts, the newest first."""
        alerts = [*self.open.values(), *self.sites.open.values()]
        return sorted(alerts, key=lambda alert: (alert.opened, alert.id), reverse=True)

    def put(self, alert: Alert) -> None:
        """Take back an open alert of a device from a snapshot."""
        self.open[alert.kind, str(alert.device)] = alert

    def unsaved(self) -> list[Alert]:
        """List the alerts that the store does not hold as they are."""
        return list(self._unsaved.values())

    def to_restore(self) -> list[Alert]:
        """List the alerts that a snapshot has to hold besides the open ones of devices."""
        others = [*self.lapsed.expired(), *self.sites.open.values()]
        return [*self.unsaved(), *(alert for alert in others if alert.id not in self._unsaved)]

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Take back from a snapshot what :meth:`to_restore` gave, after the open alerts of the devices."""
        for alert in alerts:
            held = self.open.get((alert.kind, str(alert.device)))
            if held is not None and held.id == alert.id:  # it has changed since its device was written
                self._change(held)
                continue
            self._change(alert)
            if alert.kind == "risk" and alert.end_reason == EXPIRED:
                self.lapsed.expire(("risk", str(alert.device)), alert)
            elif alert.kind == "site" and alert.ended is None:
                self.sites.open[str(alert.site)] = alert

    def _begin(
        self,
        kind: Kind,
        code: int,
        opened: int,
        peak: tuple[float, int] | None = None,
        work: Work | None = None,
        index: int = 0,
    ) -> None:
        device = str(self._state.table.names[code])
        company, center = self._state.table.places[code]
        attributes = {DEVICE: device, COMPANY: company, DATA_CENTER: center}
        quiet = silenced(self.settings.silences, attributes, opened) is not None
        if self._renew((kind, device), opened, peak, quiet):
            return
        if (before := self._renewed_before((kind, device), opened)) is not None:
            self._renewed((kind, device), before, peak, quiet)
            return
        alert = Alert(
            id=identity(self.network, kind, device, opened),
            kind=kind,
            network=self.network,
            device=device,
            company=company,
            data_center=center,
            opened=iso(opened),
            reasons=work.reasons[index] if work else [],
            model=work.model.version if work else None,
            silenced=quiet,
        )
        if peak is not None:
            alert.peak, alert.peak_at = peak[0], iso(peak[1])
        self.open[kind, device] = alert
        self._change(alert)
        before = self._from_before(alert.id, opened)
        if before is None or before.rolled_up:
            self._fresh.add(alert.id)
        if before is not None:
            alert.rolled_up = before.rolled_up

    def _from_before(self, name: str, opened: int) -> Alert | None:
        """Find an alert that comes up again when samples are sent again: who was told of it stays as it was."""
        found: list[Alert | None] = []
        if opened <= self._known_until:
            self.guard.read(lambda: found.append(self.store.get(name)))
        return found[0] if found else None

    def _renew(self, key: Key, opened: int, peak: tuple[float, int] | None, quiet: bool) -> bool:
        """Let an alert that lapsed go on, if the one that opens is the same."""
        for lapse in self.lapsed.of(key):
            if lapse.alert.id == identity(self.network, key[0], key[1], opened):
                self.lapsed.remove(lapse)
            elif lapse.continues(opened) and (lapse.in_doubt or self.settings.renewals == "update"):
                alert = self._go_on(lapse)
                alert.renewed.append(iso(opened))
                self._renewed(key, alert, peak, quiet)
                return True
            elif opened > latest_opening(lapse.alert):
                self.lapsed.remove(lapse)
                self._settle(lapse)
        return False

    def _go_on(self, lapse: Lapse) -> Alert:
        self.lapsed.remove(lapse)
        alert = lapse.alert
        alert.ended = alert.end_reason = alert.calm_since = None
        self.open[lapse.key] = alert
        self._change(alert)
        return alert

    def _renewed_before(self, key: Key, opened: int) -> Alert | None:
        """Find the alert that was renewed at this very time before a restart, when samples are sent again.

        Its later renewals come up again too.
        """
        if opened > self._known_until:
            return None
        found = [lapse.alert for lapse in self.lapsed.of(key) if iso(opened) in lapse.alert.renewed]
        if not found:
            self.guard.read(lambda: found.extend(self.store.renewed_at(*key, opened)))
        for alert in found:
            for lapse in self.lapsed.of(key):
                if lapse.alert.id == alert.id:
                    self.lapsed.remove(lapse)
            alert.renewed = alert.renewed[: alert.renewed.index(iso(opened)) + 1]
            alert.ended = alert.end_reason = alert.calm_since = None
            return alert
        return None

    def _renewed(self, key: Key, alert: Alert, peak: tuple[float, int] | None, quiet: bool) -> None:
        alert.silenced = alert.silenced and quiet
        _raise_peak(alert, peak)
        self.open[key] = alert
        self._change(alert)

    def _expire(
        self, device: str, at: int, peak: tuple[float, int] | None = None, below_since: int | None = None
    ) -> None:
        if (alert := self.open.pop(("risk", device), None)) is None:
            return
        _raise_peak(alert, peak)
        alert.ended, alert.end_reason = iso(at), EXPIRED
        alert.calm_since = iso(below_since) if below_since is not None and below_since < at else None
        self._change(alert)
        if (displaced := self.lapsed.expire(("risk", device), alert)) is not None:
            self._settle(displaced)

    def _settle(self, lapse: Lapse) -> None:
        alert = settled(lapse, self._state.clock.now)
        self._change(alert)

    def _raise_peaks(self, state: FleetState, codes: Iterable[int]) -> None:
        for code in codes:
            if (alert := self.open.get(("risk", str(state.table.names[code])))) is not None:
                _raise_peak(alert, state.tracker.peak(code))

    def _end(
        self,
        kind: Kind,
        device: str,
        at: int,
        reason: str,
        peak: tuple[float, int] | None = None,
        calm_since: str | None = None,
    ) -> None:
        if (alert := self.open.pop((kind, device), None)) is not None:
            _raise_peak(alert, peak)
            # A silence began by the time of the others; what the device sends then may be a backlog from before it.
            at = max(at, nanoseconds(alert.opened))
            alert.ended, alert.end_reason, alert.calm_since = iso(at), reason, calm_since
            self._change(alert)

    def _watch_expiry(self, device: str) -> None:
        if (alert := self.open.get(("risk", device))) is not None:
            heapq.heappush(self._silent, (self._expiry(alert), device))

    def _expiry(self, alert: Alert) -> int:
        return latest_opening(alert) + self._state.tracker.policy.expires_after

    def _time_of(self, key: Key) -> int:
        """Give the time of a device that sends, else the network's."""
        clock, code = self._state.clock, self._state.table.code(key[1])
        return clock.now if code is None or clock.silent[code] else int(clock.newest[code])

    def _change(self, alert: Alert) -> None:
        self._unsaved[alert.id], self._moved = alert, True

    def _recall_site(self, key: str, opened: int) -> Alert | None:
        """Find the alert of a site that comes up again."""
        if self.guard.trouble:
            return None
        try:
            return self.store.like(key, opened, self.settings.roll_up.window)
        except STORE_ERRORS:
            return None

    def _save(self) -> None:
        lapsed = {alert.id for alert in self.lapsed.expired()}
        self.store.save(self._unsaved.values(), self.receivers, lapsed)
        self._fresh.clear()
        self._unsaved.clear()

    def _reconcile(self) -> None:
        self.store.outbox.close_others(self.receivers)
        found = sorted(self.store.unsettled(), key=lambda one: latest_opening(one[0]))
        held = {alert.id for alert in self.open.values()} | set(self._unsaved)
        for alert, lapsed in found:
            if alert.id in held:
                continue
            key = (alert.kind, str(alert.device or alert.site))
            displaced = self.lapsed.expire(key, alert) if lapsed else self.lapsed.doubt(key, alert)
            if displaced is not None:
                self._settle(displaced)
        self._moved = True
        self._known_until = max([self.store.latest(), *(latest_opening(alert) for alert, _ in found)])
        stored = {alert.id for alert, _ in found}
        for alert in self.open.values():
            if alert.id not in stored and self.store.get(alert.id) is None:
                self._change(alert)
        for kind, device in list(self.open):
            if kind == "silent":
                self._watch_expiry(device)

    def _begin_anew(self) -> None:
        """Write all that is open to a new store."""
        for alert in (*self.current(), *self.lapsed):
            self._change(alert)
        self._replaced()

    def _prune(self, now: int) -> None:
        if now > self.settings.retention:
            self.store.prune(now - self.settings.retention)

    def _limit(self) -> None:
        surplus = len(self._unsaved) - MAX_UNSAVED
        if surplus > 0:
            ended = [name for name, alert in self._unsaved.items() if alert.ended][:surplus]
            for name in ended:
                del self._unsaved[name]
            self.lost += len(ended)


def _raise_peak(alert: Alert, peak: tuple[float, int] | None) -> None:
    if peak is not None and peak[0] > (alert.peak or 0.0):
        alert.peak, alert.peak_at = peak[0], iso(peak[1])
