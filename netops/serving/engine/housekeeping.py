"""Housekeeping after each request: stale, evicted and moved devices, and changed alerts."""

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from netops.models.card import ModelCard
from netops.serving.alerts.active import ActiveAlerts
from netops.serving.engine.assignment import Assignment
from netops.serving.engine.fleet_state import FleetState
from netops.serving.engine.metrics import ServingMetrics

_LOG = logging.getLogger(__name__)


class Housekeeping:
    """Keeps state and alerts of the devices consistent.

    Parameters
    ----------
    state : FleetState
        The state of the devices.
    alerts : ActiveAlerts
        Their alerts.
    metrics : ServingMetrics
        Counts evicted and moved devices.
    """

    def __init__(self, state: FleetState, alerts: ActiveAlerts, metrics: ServingMetrics) -> None:
        self._state, self._alerts, self._metrics = state, alerts, metrics
        self._last_check = state.clock.now

    def run(self, card: ModelCard | None, assignment: Assignment | None) -> None:
        """Detect stale devices, end the alerts of evicted devices, and store changed alerts.

        Parameters
        ----------
        card : ModelCard or None
            The card of the champion, with whose training data the samples are compared.
        assignment : Assignment or None
            The shards of a stream that this replica reads; None if samples come only over HTTP.
        """
        state = self._state
        if state.dropped:
            self._metrics.evicted.inc(len(state.dropped))
            self._end_alerts_of_dropped(assignment)
        if state.restarted:
            self._alerts.drop(state.restarted, state.clock.now)
            state.restarted.clear()
        if state.clock.now != self._last_check:
            self._last_check = state.clock.now
            self._mark_stale(assignment)
            self._alerts.advance(state.clock.now)
        if state.recent.due and card is not None:
            for line in state.recent.compare(card):
                _LOG.warning("received telemetry: %s", line)
        self._alerts.flush(state)

    def _mark_stale(self, assignment: Assignment | None) -> None:
        state = self._state
        stale = self._without_moved(state.clock.find_stale(), assignment)
        if len(stale):
            state.risk[stale] = np.nan
            state.changed[stale] = np.minimum(state.changed[stale], state.clock.newest[stale])
            self._alerts.mark_stale(state, stale.tolist())

    def _without_moved(self, stale: npt.NDArray[np.int64], assignment: Assignment | None) -> npt.NDArray[np.int64]:
        """Remove the devices that another replica serves now; return the other stale devices."""
        if assignment is None or len(stale) == 0:
            return stale
        names: Sequence[object] = self._state.table.names
        elsewhere = np.array([assignment.is_elsewhere(str(names[code])) for code in stale.tolist()])
        if elsewhere.any():
            self._state.drop(stale[elsewhere].tolist())
            self._metrics.moved.inc(int(elsewhere.sum()))
            self._end_alerts_of_dropped(assignment)
        return stale[~elsewhere]

    def _end_alerts_of_dropped(self, assignment: Assignment | None) -> None:
        state = self._state
        names = [name for _, name in state.dropped]
        self._alerts.drop(names, state.clock.now)
        if assignment is not None:
            assignment.forget(names)
        state.dropped.clear()
