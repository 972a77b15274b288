"""The active alerts of a network: one per device for its risk, one if it is stale, one per site."""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic

import numpy as np
import numpy.typing as npt

from netops.alerting.rollup import SiteAlert
from netops.alerting.settings import AlertSettings
from netops.alerting.silences import silenced
from netops.alerting.tracker import CLOSED, OPENED, RENEWED
from netops.serving.alerts.lapsed import EXPIRED, Key, Lapse, Lapsed, closed_alert, latest_opening
from netops.serving.alerts.network_sites import Decision, HeldAlerts, NetworkRollUp, RollUpAlert
from netops.serving.alerts.site_alerts import SiteAlerts
from netops.serving.alerts.store import Alert, AlertStore, Kind, identity
from netops.serving.alerts.store_guard import StoreGuard
from netops.serving.decode.times import iso, nanoseconds
from netops.serving.engine.fleet_state import FleetState
from netops.serving.engine.work import Work
from netops.telemetry.schema import COMPANY, DATA_CENTER, DEVICE

COOLED, RECOVERED, DROPPED = "cooled down", "reporting again", "device no longer monitored"
#: Maximum changed alerts in memory while the store is unavailable; beyond it, the oldest ended ones are dropped.
MAX_UNSAVED = 50_000
_PRUNED_EVERY = 60.0


class ActiveAlerts:
    """Creates alerts with reasons from the events of the state machine, and stores them.

    Parameters
    ----------
    network : str
        Name of the network.
    settings : AlertSettings
        Silences, renewals and roll-up.
    store : AlertStore
        The store of the alerts.
    receivers : sequence of str
        Names of the receivers to notify.
    state : FleetState
        The devices and the alert state machine.
    replaced : callable
        Called when a damaged store has been replaced by a new one.
    network_roll_up : NetworkRollUp, optional
        If given, alerts are rolled up for the network instead of here.

    Attributes
    ----------
    open : dict
        (kind, device) → open alert.
    lapsed : Lapsed
        Alerts that have ended but may continue.
    sites : SiteAlerts
        The open site alerts.
    guard : StoreGuard
        Handles errors of the store.
    lost : int
        Number of changes that could not be stored.
    """

    def __init__(
        self,
        network: str,
        settings: AlertSettings,
        store: AlertStore,
        receivers: Sequence[str],
        state: FleetState,
        replaced: Callable[[], None] = lambda: None,
        network_roll_up: NetworkRollUp | None = None,
    ) -> None:
        self.network, self.settings, self.store, self.receivers = network, settings, store, list(receivers)
        self.open: dict[tuple[Kind, str], Alert] = {}
        self.lapsed = Lapsed(lambda: state.tracker.policy.cooldown)
        self.sites = SiteAlerts(network, settings.roll_up, self._stored)
        self.guard = StoreGuard(store, self._refill_store)
        self.lost = 0
        self._network_roll_up = network_roll_up
        self._held = None if network_roll_up is None else HeldAlerts(network_roll_up.wait)
        self._state, self._replaced = state, replaced
        self._unsaved: dict[str, Alert] = {}
        self._unsent: set[str] = set()
        #: Ids of expired alerts of the store that are missing in the restored state: they belong to later samples.
        self._unconfirmed: set[str] = set()
        self._stale: list[tuple[int, str]] = []  # heap of (expiry, device) of stale devices
        self._changed = self._reconciled = False
        self._stored_until = -1
        self._pruned = monotonic()

    def update(self, state: FleetState, work: Work, live: npt.NDArray[np.bool_]) -> None:
        """Open, update and end alerts for the risks of a request, and set ``work.alert``.

        Parameters
        ----------
        live : bool array, k
            The scored rows that may alert.
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

    def mark_stale(self, state: FleetState, codes: Iterable[int]) -> None:
        """Open an alert of kind ``silent`` for each device that has become stale."""
        for code in codes:
            self._begin("silent", code, int(state.clock.newest[code]) + state.clock.silent_after)
            self._schedule_expiry(str(state.table.names[code]))

    def recover(self, state: FleetState, codes: Iterable[int]) -> None:
        """End the ``silent`` alerts of devices that have recovered."""
        for code in codes:
            device = str(state.table.names[code])
            self._end("silent", device, int(state.clock.newest[code]), RECOVERED)
            for lapse in self.lapsed.of(("risk", device)):
                if not lapse.in_doubt and state.tracker.is_open(np.array([code]))[0]:
                    # It expired by the network time, but the device's own time is earlier.
                    self._continue(lapse)

    def drop(self, devices: Iterable[str], now: int) -> None:
        """End the alerts of devices that were dropped."""
        for device in devices:
            self._end("risk", device, now, DROPPED)
            self._end("silent", device, now, DROPPED)
            for lapse in self.lapsed.of(("risk", device)):
                self.lapsed.remove(lapse)
                self._close(lapse)

    def advance(self, now: int) -> None:
        """Expire the alerts of stale devices and end lapsed alerts, by the network's event time."""
        while self._stale and self._stale[0][0] <= now:
            due, device = heapq.heappop(self._stale)
            alert = self.open.get(("risk", device))
            if alert is not None and ("silent", device) in self.open and self._expiry(alert) == due:
                self._expire(device, due)
        for lapse in self.lapsed.due(now, self._time_of):
            self._close(lapse)

    def flush(self, state: FleetState) -> None:
        """Roll up alerts and store the changed ones; if the store fails, they stay in memory."""
        if not self._reconciled:
            self.reconcile()
        if self._changed:
            self._changed = False
            if self._network_roll_up is None:
                self._roll_up(state)
        if self._unsaved or self.guard.trouble or (self._held is not None and self._held.is_changed):
            self.guard.write(self._save)
            self._limit()
        if monotonic() - self._pruned > _PRUNED_EVERY:
            self._pruned = monotonic()
            self.guard.write(lambda: self._prune(state.clock.now))

    def _roll_up(self, state: FleetState) -> None:
        # Doubted and unconfirmed alerts belong to samples that have not been sent again yet.
        expired = [alert for alert in self.lapsed.expired() if alert.id not in self._unconfirmed]
        risks, doubted = [*self.open.values(), *expired], self.lapsed.doubted("site")
        for alert in self.sites.update(risks, state.table, state.clock.now, self._unsent, doubted):
            self._unsaved[alert.id] = alert
        for site in self.sites.open:
            for lapse in self.lapsed.of(("site", site)):
                self.lapsed.remove(lapse)

    def to_roll_up(self) -> list[RollUpAlert]:
        """Return the risk alerts of this partition for the roll-up of the network.

        Those from before a restart that may open again are included: a site alert must not end because of one. So
        are those that wait for the decision and have ended meanwhile.
        """
        held = [] if self._held is None else self._held.alerts()
        waiting = {alert.id for alert in held}
        # Of several alerts of a device, the open one comes last.
        lapsed = (alert for alert in self.lapsed if alert.kind == "risk")
        risks = {alert.id: alert for alert in (*held, *lapsed, *self.open.values()) if alert.kind == "risk"}
        return [self._reported(alert, alert.id in waiting) for alert in risks.values()]

    def _reported(self, alert: Alert, held: bool) -> RollUpAlert:
        code = self._state.table.code(str(alert.device))
        location = (alert.company, alert.data_center) if code is None else self._state.table.locations[code]
        opened, ended = nanoseconds(alert.opened), alert.ended is not None
        return RollUpAlert(alert.id, str(alert.device), opened, *location, held, ended, alert.rolled_up)

    def decide(self, decision: Decision) -> None:
        """Apply what the roll-up of the network has decided for alerts of this partition, and store it."""
        if self._held is None:
            return
        waiting = {alert.id: alert for alert in self._held.alerts()}
        known = waiting | {alert.id: alert for alert in (*self.lapsed, *self.open.values())}
        for name, site in decision.rolled_up.items():
            if (alert := known.get(name)) is not None and (name in waiting or alert.rolled_up):
                alert.rolled_up = site
                self._held.remove(name)
                self._change(alert)
        for name in decision.unrolled:
            if (alert := known.get(name)) is not None and alert.rolled_up:
                alert.rolled_up = None
                self._unsent.add(name)
                self._change(alert)
        for name in decision.released:
            self._held.release(name)
        self.flush(self._state)

    def replace_sites(self, found: Iterable[SiteAlert], now: int, ends: Callable[[Alert], bool]) -> bool:
        """Store the site alerts of the network (see ``SiteAlerts.replace``); return whether they are stored."""
        for alert in self.sites.replace(found, now, ends):
            self._unsaved[alert.id] = alert
        self.flush(self._state)
        return not any(alert.kind == "site" for alert in self._unsaved.values())

    @property
    def is_reconciled(self) -> bool:
        """Whether the store has been reconciled with the restored state."""
        return self._reconciled

    def reconcile(self) -> None:
        """Reconcile the store with the restored state, once the store can be read.

        Alerts that are open in the store but not in the state are doubted, and end unless replayed samples open
        them again. Alerts that are only in the state are stored again.
        """
        self._reconciled = self.guard.write(self._reconcile)

    def current(self) -> list[Alert]:
        """Return the open alerts, newest first."""
        alerts = [*self.open.values(), *self.sites.open.values()]
        return sorted(alerts, key=lambda alert: (alert.opened, alert.id), reverse=True)

    def restore_open(self, alert: Alert) -> None:
        """Restore an open alert of a device from a snapshot."""
        self.open[alert.kind, str(alert.device)] = alert

    def unsaved(self) -> list[Alert]:
        """Return the alerts with changes that are not stored yet."""
        return list(self._unsaved.values())

    def for_snapshot(self) -> list[Alert]:
        """Return the alerts for a snapshot, in addition to the open ones of devices."""
        # The site alerts of the network are in the store alone, which is newer than a snapshot.
        sites = self.sites if self._network_roll_up is None else None
        others = [*self.lapsed.expired(), *((*sites.open.values(), *sites.ended.values()) if sites else ())]
        return [*self.unsaved(), *(alert for alert in others if alert.id not in self._unsaved)]

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Restore what :meth:`for_snapshot` returned, after the open alerts of the devices."""
        for alert in alerts:
            if alert.kind == "site" and self._network_roll_up is not None:
                continue
            if alert.kind == "site" and alert.ended is not None:
                self.sites.ended[str(alert.site)] = alert
                if self._stored(alert.id) is not None:  # the store may be newer than the snapshot
                    continue
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
        company, center = self._state.table.locations[code]
        attributes = {DEVICE: device, COMPANY: company, DATA_CENTER: center}
        is_silenced = silenced(self.settings.silences, attributes, opened) is not None
        if self._renew((kind, device), opened, peak, is_silenced):
            return
        if (before := self._renewed_before((kind, device), opened)) is not None:
            self._renewed((kind, device), before, peak, is_silenced)
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
            silenced=is_silenced,
        )
        if peak is not None:
            alert.peak, alert.peak_at = peak[0], iso(peak[1])
        self.open[kind, device] = alert
        self._change(alert)
        before = self._stored_before(alert.id, opened)
        if before is None or before.rolled_up:
            self._unsent.add(alert.id)
        if before is not None:
            alert.rolled_up = before.rolled_up

    def _stored_before(self, name: str, opened: int) -> Alert | None:
        """Return the stored alert that replayed samples open again; its notifications are not repeated."""
        return self._stored(name) if opened <= self._stored_until else None

    def _renew(self, key: Key, opened: int, peak: tuple[float, int] | None, is_silenced: bool) -> bool:
        """Continue a lapsed alert if the opening one is the same; return whether there was one."""
        for lapse in self.lapsed.of(key):
            if lapse.alert.id == identity(self.network, key[0], key[1], opened):
                self.lapsed.remove(lapse)
            elif lapse.continues(opened) and (lapse.in_doubt or self.settings.renewals == "update"):
                alert = self._continue(lapse)
                alert.renewed.append(iso(opened))
                self._renewed(key, alert, peak, is_silenced)
                return True
            elif opened > latest_opening(lapse.alert):
                self.lapsed.remove(lapse)
                self._close(lapse)
        return False

    def _continue(self, lapse: Lapse) -> Alert:
        self.lapsed.remove(lapse)
        alert = lapse.alert
        alert.ended = alert.end_reason = alert.calm_since = None
        self.open[lapse.key] = alert
        self._change(alert)
        return alert

    def _renewed_before(self, key: Key, opened: int) -> Alert | None:
        """Return the alert that was renewed at this time before a restart, if samples are replayed.

        Its later renewals are removed, because the replay repeats them.
        """
        if opened > self._stored_until:
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

    def _renewed(self, key: Key, alert: Alert, peak: tuple[float, int] | None, is_silenced: bool) -> None:
        if alert.silenced and not is_silenced:
            alert.silenced = False
            if latest_opening(alert) > self._stored_until:  # it is sent for the first time
                self._unsent.add(alert.id)
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
            self._close(displaced)

    def _close(self, lapse: Lapse) -> None:
        alert = closed_alert(lapse, self._state.clock.now)
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
            # A device is stale by the network time; its next samples may be an older backlog.
            at = max(at, nanoseconds(alert.opened))
            alert.ended, alert.end_reason, alert.calm_since = iso(at), reason, calm_since
            self._change(alert)

    def _schedule_expiry(self, device: str) -> None:
        if (alert := self.open.get(("risk", device))) is not None:
            heapq.heappush(self._stale, (self._expiry(alert), device))

    def _expiry(self, alert: Alert) -> int:
        return latest_opening(alert) + self._state.tracker.policy.expires_after

    def _time_of(self, key: Key) -> int:
        """Return the time of a device, or of the network if the device is unknown or stale."""
        clock, code = self._state.clock, self._state.table.code(key[1])
        return clock.now if code is None or clock.silent[code] else int(clock.newest[code])

    def _change(self, alert: Alert) -> None:
        self._unsaved[alert.id], self._changed = alert, True
        self._unconfirmed.discard(alert.id)

    def _stored(self, name: str) -> Alert | None:
        """Return the stored alert with an id; None if there is none or the store cannot be read."""
        found: list[Alert | None] = []
        self.guard.read(lambda: found.append(self.store.get(name)))
        return found[0] if found else None

    def _save(self) -> None:
        lapsed = {alert.id for alert in self.lapsed.expired()}
        if self._held is None:
            self.store.save(self._unsaved.values(), self.receivers, lapsed)
        else:
            hold, new = self._held.hold(), self._unsent
            self.store.save(self._unsaved.values(), self.receivers, lapsed, hold)
            self._held.saved(self._unsaved.values(), hold, lambda name: name not in new)
        self._unsent.clear()
        self._unsaved.clear()

    def _reconcile(self) -> None:
        self.store.outbox.close_others(self.receivers)
        found = sorted(self.store.unsettled(), key=lambda one: latest_opening(one[0]))
        held = {alert.id for alert in self.open.values()} | set(self._unsaved)
        for alert, lapsed in found:
            if alert.id in held:
                continue
            if alert.kind == "site" and self._network_roll_up is not None and self._network_roll_up.aggregates:
                continue
            key = (alert.kind, str(alert.device or alert.site))
            displaced = self.lapsed.expire(key, alert) if lapsed else self.lapsed.doubt(key, alert)
            if lapsed:
                self._unconfirmed.add(alert.id)
            if displaced is not None:
                self._close(displaced)
        self._changed = True
        self._stored_until = max([self.store.latest(), *(latest_opening(alert) for alert, _ in found)])
        stored = {alert.id for alert, _ in found}
        for alert in self.open.values():
            if alert.id not in stored and self.store.get(alert.id) is None:
                self._store_again(alert)
        for kind, device in list(self.open):
            if kind == "silent":
                self._schedule_expiry(device)
        if self._network_roll_up is not None:
            self._reconcile_roll_up(self._network_roll_up, {alert.id: alert for alert, _ in found})

    def _reconcile_roll_up(self, network: NetworkRollUp, stored: Mapping[str, Alert]) -> None:
        """Restore what the store has of the network's roll-up; it is newer than the snapshot."""
        assert self._held is not None
        current = {alert.id: alert for alert in (*self.lapsed, *self.open.values())}
        for name, alert in current.items():
            if name in stored:
                alert.rolled_up = stored[name].rolled_up
        self._held.restore(
            self.store.outbox.held(self._held.clock()), lambda name: current.get(name) or self.store.get(name)
        )
        if network.aggregates:
            sites = (*stored.values(), *self.store.recent())
            self.sites.restore(alert for alert in sites if alert.kind == "site")

    def _refill_store(self) -> None:
        """Write all open and lapsed alerts to a new store."""
        for alert in (*self.current(), *self.lapsed):
            self._store_again(alert)
        self._replaced()

    def _store_again(self, alert: Alert) -> None:
        self._change(alert)
        if self._held is not None:
            self._unsent.add(alert.id)

    def _prune(self, now: int) -> None:
        if now > self.settings.retention:
            self.store.prune(now - self.settings.retention)

    def _limit(self) -> None:
        excess = len(self._unsaved) - MAX_UNSAVED
        if excess > 0:
            ended = [name for name, alert in self._unsaved.items() if alert.ended][:excess]
            for name in ended:
                del self._unsaved[name]
            self.lost += len(ended)


def _raise_peak(alert: Alert, peak: tuple[float, int] | None) -> None:
    if peak is not None and peak[0] > (alert.peak or 0.0):
        alert.peak, alert.peak_at = peak[0], iso(peak[1])
