"""The long-lived objects of a served network: champion, device state, alerts, dead letters and metrics."""

import logging
import os
from pathlib import Path
from time import perf_counter

import numpy as np

from netops.alerting.settings import AlertSettings
from netops.errors import NetopsError
from netops.serving.alerts.active import ActiveAlerts
from netops.serving.alerts.deliveries import Deliveries
from netops.serving.alerts.feedback_store import FeedbackStore
from netops.serving.alerts.store_guard import LOCK_TIMEOUT
from netops.serving.decode.json import JsonReader
from netops.serving.decode.remote_write import Joiner
from netops.serving.decode.times import iso
from netops.serving.engine.assignment import Assignment
from netops.serving.engine.champion import ModelSource, ServedModel, load_model
from netops.serving.engine.dead_letters import DeadLetters
from netops.serving.engine.fleet_metrics import FleetCollector
from netops.serving.engine.fleet_state import FleetState
from netops.serving.engine.housekeeping import Housekeeping
from netops.serving.engine.last_champion import LastChampion
from netops.serving.engine.metrics import RuntimeCollector, ServingMetrics
from netops.serving.engine.replay_point import ReplayPoint
from netops.serving.engine.restore import read_snapshot
from netops.serving.engine.snapshot import Snapshots, SnapshotWriter
from netops.serving.engine.state_lock import lock
from netops.serving.folders import ALERTS, CHAMPION, state_folder
from netops.serving.settings import ServingSettings
from netops.serving.shadow.metrics import ShadowCollector
from netops.serving.shadow.scoring import Shadow

_LOG = logging.getLogger(__name__)


class Runtime:
    """A served network. Not thread-safe.

    Parameters
    ----------
    network : str
        Name of the network.
    source : ModelSource
        The source of the champion.
    settings : ServingSettings
        The ``serving`` section.
    alerting : AlertSettings
        The ``alerting`` section.
    folder : Path, optional
        The state folder; existing state is restored.

    Raises
    ------
    NoChampionError
        If there is no champion.
    NetopsError
        If it cannot be looked up and there is no copy of an earlier one in the state folder.
    """

    def __init__(
        self,
        network: str,
        source: ModelSource,
        settings: ServingSettings | None = None,
        alerting: AlertSettings | None = None,
        folder: Path | None = None,
    ) -> None:
        self.network = network
        self.settings, self.alerting = settings or ServingSettings(), alerting or AlertSettings()
        self.folder = folder or state_folder(network)
        #: The shards of a stream that this replica reads; None if samples come only over HTTP.
        self.assignment: Assignment | None = None
        self._lock = lock(self.folder)
        self.source: ModelSource = LastChampion(source, self.folder / CHAMPION)
        try:
            self.model = load_model(self.source.champion())
        except BaseException:
            os.close(self._lock)  # a server that waits for a champion retries
            raise
        self.snapshots, self.replay = Snapshots(self.folder), ReplayPoint(self.folder)
        self.metrics = ServingMetrics(network)
        limits, files = self.settings.limits, self.settings.state
        self.letters = DeadLetters(self.folder, files.dead_letter_bytes, files.dead_letter_files)
        self.store = FeedbackStore(self.folder / ALERTS, LOCK_TIMEOUT)
        self.deliveries = Deliveries(self.folder / ALERTS, self.settings.receivers, self.metrics)
        self.reader = JsonReader(self.model.spec.metrics, limits.batch, limits.name_length)
        self.shadow = Shadow(self)
        self.reset()
        self._restore()
        self.active_alerts.reconcile()
        self._refresh_shadow()
        self.metrics.registry.register(RuntimeCollector(self))
        self.metrics.registry.register(FleetCollector(self))
        self.metrics.registry.register(ShadowCollector(self))

    def _refresh_shadow(self) -> None:
        try:
            self.shadow.apply(self.shadow.check())
        except Exception as error:  # noqa: BLE001
            _LOG.warning("the shadow cannot be looked up: %s", error)

    def swap(self, model: ServedModel) -> None:
        """Put a loaded model in service between two requests.

        Raises
        ------
        NetopsError
            If the model has other metrics.
        """
        if (model.spec.metrics, model.counters) != (self.model.spec.metrics, self.model.counters):
            raise NetopsError(f"model {model.version} requires other metrics than those of network {self.network}")
        if model.spec != self.model.spec:
            self.state.change_spec(model.spec)
        self.model = model
        self.state.recent.reset()
        self.state.tracker.policy = self.alerting.policy(model.threshold, model.horizon)

    def housekeeping(self) -> None:
        """Detect stale devices, end the alerts of evicted devices, and store changed alerts."""
        self._housekeeping.run(self.model.card, self.assignment)

    def highest_risks(self) -> list[tuple[str, str | None, str | None, float]]:
        """Return the devices with the highest risks, up to a limit: device, company, data center, risk."""
        state, limit = self.state, self.settings.limits.risk_series
        known = np.flatnonzero(~np.isnan(state.risk))
        chosen = known[np.argsort(-state.risk[known], kind="stable")[:limit]].tolist()
        return [
            (str(state.table.names[code]), *state.table.locations[code], float(state.risk[code])) for code in chosen
        ]

    @property
    def replay_point(self) -> int | None:
        """Samples with a later event time (ns) must be sent again after a crash; None: all samples."""
        return self.replay.point

    def snapshot(self) -> SnapshotWriter:
        """Start a snapshot, which is written frame by frame."""
        return SnapshotWriter(self)

    def save(self) -> None:
        """Write a snapshot."""
        since = perf_counter()
        with self.snapshot() as writer:
            for part in writer.parts():
                writer.write(part)
            writer.finish()
        self.metrics.snapshot_seconds.set(perf_counter() - since)

    def close(self) -> None:
        """Save the state and close all files.

        Raises
        ------
        NetopsError
            If the state cannot be saved.
        """
        try:
            self.save()
        except Exception as error:
            since = "all samples" if self.replay_point is None else f"the samples after {iso(self.replay_point)}"
            raise NetopsError(
                f"{self.folder}: the state could not be saved: {error}; send {since} again after the next start"
            ) from error
        finally:
            self.deliveries.stop()
            self.store.close()
            self.letters.close()
            os.close(self._lock)

    def reset(self) -> None:
        """Reset the state: no devices."""
        model = self.model
        policy = self.alerting.policy(model.threshold, model.horizon)
        self.state = FleetState(model.spec, policy, self.settings, model.counters)
        self.active_alerts = ActiveAlerts(
            self.network, self.alerting, self.store, self.deliveries.names, self.state, self.deliveries.reopen
        )
        time, limits = self.settings.time, self.settings.limits
        self.joiner = Joiner(model.spec.metrics, time.join_wait, limits.devices, time.future_limit)
        self._housekeeping = Housekeeping(self.state, self.active_alerts, self.metrics)

    def _restore(self) -> None:
        try:
            read_snapshot(self)
        except NetopsError as error:
            _LOG.warning("%s; the file was renamed and the server starts with an empty state", error)
