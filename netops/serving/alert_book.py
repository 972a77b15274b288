"""The open alerts of a network: one a device for its risk, one for its silence, one a site."""

import logging
import sqlite3
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from netops.alerting.settings import AlertSettings
from netops.alerting.silences import silenced
from netops.alerting.tracker import OPENED
from netops.serving.alert_store import Alert, AlertStore, Kind, identity
from netops.serving.fleet_state import FleetState
from netops.serving.site_alerts import SiteAlerts
from netops.serving.times import iso
from netops.serving.work import Work
from netops.telemetry.schema import COMPANY, DATA_CENTER, DEVICE

_LOG = logging.getLogger(__name__)


class AlertBook:
    """Turns what the state machine says into alerts with reasons, and hands them to the store.

    Parameters
    ----------
    network : str
        Whose alerts they are.
    settings : AlertSettings
        Silences, and when the alerts of a site become one.
    store : AlertStore
        Where they are kept.
    receivers : sequence of str
        Names of the receivers that have to be told.

    Attributes
    ----------
    open : dict
        (kind, device) → its open alert.
    sites : SiteAlerts
        The open alerts of sites.
    """

    def __init__(self, network: str, settings: AlertSettings, store: AlertStore, receivers: Sequence[str]) -> None:
        self.network, self.settings, self.store, self.receivers = network, settings, store, list(receivers)
        self.open: dict[tuple[Kind, str], Alert] = {}
        self.sites = SiteAlerts(network, settings.roll_up, store)
        self._unsaved: dict[str, Alert] = {}
        self._fresh: set[str] = set()

    def follow(self, state: FleetState, work: Work, live: npt.NDArray[np.bool_]) -> None:
        """Take the risks of a request: alerts open, rise and end, and ``work.alert`` says so sample by sample.

        Parameters
        ----------
        live : bool array, k
            The scored rows that count.
        """
        rows = work.scored[live]
        codes, timestamps = work.codes[rows], work.samples.timestamps[rows]
        if self.open or (work.risks >= state.tracker.policy.threshold).any():
            work.alert = state.tracker.is_open(np.maximum(work.codes, 0)) & (work.codes >= 0)
        places = np.flatnonzero(live)
        for event in state.tracker.update(codes, timestamps, work.risks[live]):
            place = int(places[event["row"]])
            row, is_open = int(work.scored[place]), event["kind"] == OPENED
            work.alert[row:][work.codes[row:] == event["device"]] = is_open
            if is_open:
                self._begin("risk", state, int(event["device"]), int(event["opened"]), work, place)
            else:
                device = str(state.table.names[int(event["device"])])
                at, peak = int(event["at"]), (float(event["peak"]), int(event["peak_at"]))
                self._end("risk", device, at, peak, iso(at - state.tracker.policy.cooldown))
        if self.open:
            self._raise_peaks(state, np.unique(codes[state.tracker.is_open(codes)]).tolist())

    def silence(self, state: FleetState, codes: Iterable[int]) -> None:
        """Open an alert for each device that has fallen silent; its risk is no longer known."""
        for code in codes:
            self._begin("silent", state, code, int(state.clock.newest[code]) + state.clock.silent_after)

    def speak(self, state: FleetState, codes: Iterable[int]) -> None:
        """End the silence of devices that are heard again."""
        for code in codes:
            self._end("silent", str(state.table.names[code]), int(state.clock.newest[code]))

    def drop(self, devices: Iterable[str], now: int) -> None:
        """End the alerts of devices that are no longer kept."""
        for device in devices:
            self._end("risk", device, now)
            self._end("silent", device, now)

    def flush(self, state: FleetState) -> None:
        """Roll up and hand changed alerts to the store; while the disk does not take them they are kept here."""
        if not self._unsaved:
            return
        for alert in self.sites.follow(self.open.values(), state.table, state.clock.now, self._fresh):
            self._unsaved[alert.id] = alert
        self._fresh.clear()
        try:
            self.store.save(self._unsaved.values(), self.receivers)
            self._unsaved.clear()
        except sqlite3.Error as error:
            _LOG.warning("alerts cannot be written and are kept in memory: %s", error)

    def current(self) -> list[Alert]:
        """List the open alerts, the newest first."""
        alerts = [*self.open.values(), *self.sites.open.values()]
        return sorted(alerts, key=lambda alert: (alert.opened, alert.id), reverse=True)

    def put(self, alert: Alert) -> None:
        """Take back an open alert of a device from a snapshot."""
        self.open[alert.kind, str(alert.device)] = alert

    def _begin(
        self, kind: Kind, state: FleetState, code: int, opened: int, work: Work | None = None, place: int = 0
    ) -> None:
        device = str(state.table.names[code])
        company, center = state.table.places[code]
        attributes = {DEVICE: device, COMPANY: company, DATA_CENTER: center}
        alert = Alert(
            id=identity(self.network, kind, device, opened),
            kind=kind,
            network=self.network,
            device=device,
            company=company,
            data_center=center,
            opened=iso(opened),
            reasons=work.reasons[place] if work else [],
            model=work.model.version if work else None,
            silenced=silenced(self.settings.silences, attributes, opened) is not None,
        )
        if kind == "risk":
            alert.peak, alert.peak_at = state.tracker.peak(code)[0], iso(state.tracker.peak(code)[1])
        self.open[kind, device] = alert
        self._unsaved[alert.id] = alert
        self._fresh.add(alert.id)

    def _raise_peaks(self, state: FleetState, codes: Iterable[int]) -> None:
        for code in codes:
            alert = self.open.get(("risk", str(state.table.names[code])))
            peak, peak_at = state.tracker.peak(code)
            if alert is not None and peak > (alert.peak or 0.0):
                alert.peak, alert.peak_at = peak, iso(peak_at)

    def _end(
        self,
        kind: Kind,
        device: str,
        at: int,
        peak: tuple[float, int] | None = None,
        calm_since: str | None = None,
    ) -> None:
        if (alert := self.open.pop((kind, device), None)) is not None:
            alert.ended, alert.calm_since = iso(at), calm_since
            if peak is not None:
                alert.peak, alert.peak_at = peak[0], iso(peak[1])
            self._unsaved[alert.id] = alert
