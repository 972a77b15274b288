"""The long-lived objects of a served network: champion, device state, alerts, dead letters and metrics."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from netops.alerting.settings import AlertSettings
from netops.errors import NetopsError
from netops.serving.alerts.active import ActiveAlerts
from netops.serving.alerts.deliveries import Deliveries
from netops.serving.alerts.feedback_store import FeedbackStore
from netops.serving.alerts.network_sites import NetworkRollUp
from netops.serving.alerts.store_guard import LOCK_TIMEOUT
from netops.serving.decode.json import JsonReader
from netops.serving.decode.remote_write import Joiner, with_metrics
from netops.serving.decode.times import iso
from netops.serving.engine.assignment import Assignment
from netops.serving.engine.champion import ModelSource, ServedModel, load_model
from netops.serving.engine.dead_letters import DeadLetters
from netops.serving.engine.fleet_metrics import FleetCollector
from netops.serving.engine.fleet_state import FleetState
from netops.serving.engine.housekeeping import Housekeeping
from netops.serving.engine.last_champion import LastChampion
from netops.serving.engine.lease import Lease
from netops.serving.engine.merged_metrics import Collector, MergedCollector
from netops.serving.engine.metrics import RuntimeCollector, ServingMetrics
from netops.serving.engine.other_metrics import OtherMetrics
from netops.serving.engine.partitions import Partitions
from netops.serving.engine.replay_point import ReplayPoint
from netops.serving.engine.restore import read_snapshot
from netops.serving.engine.shared_state import StateLease
from netops.serving.engine.snapshot import Snapshots, SnapshotWriter
from netops.serving.engine.state_lock import lock
from netops.serving.folders import ALERTS, CHAMPION, state_folder
from netops.serving.logs.intake import MessageIntake
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
    lease : StateLease, optional
        The lease of the folder; default: it is locked.
    root : Runtime, optional
        The runtime of the process, of which this one serves a partition: they share model and metrics.

    network_roll_up : NetworkRollUp, optional
        If given, the alerts of the partition are rolled up for the network (see ``alerts.network_sites``).

    Raises
    ------
    NoChampionError
        If there is no champion.
    NetopsError
        If it cannot be looked up and there is no copy of an earlier one in the state folder.
    """

    model: ServedModel
    metrics: ServingMetrics
    active_alerts: ActiveAlerts

    def __init__(
        self,
        network: str,
        source: ModelSource,
        settings: ServingSettings | None = None,
        alerting: AlertSettings | None = None,
        folder: Path | None = None,
        lease: StateLease | None = None,
        root: "Runtime | None" = None,
        network_roll_up: NetworkRollUp | None = None,
    ) -> None:
        self.network = network
        self.settings, self.alerting = settings or ServingSettings(), alerting or AlertSettings()
        self.folder = folder or state_folder(network)
        #: The shards of a stream that this replica reads; None if samples come only over HTTP.
        self.assignment: Assignment | None = None
        #: The partitions of a stream that this process owns; None if samples come over HTTP.
        self.partitions: Partitions | None = None
        #: The next message of the partition that this runtime serves; None without a partition.
        self.offset: int | None = None
        self._network_roll_up = network_roll_up
        self._lease: StateLease = lease or Lease(self.folder, lock(self.folder))
        self.source: ModelSource = LastChampion(source, self.folder / CHAMPION) if root is None else source
        try:
            self.model = load_model(self.source.champion()) if root is None else root.model
        except BaseException:
            self._lease.release()  # a server that waits for a champion retries
            raise
        self.snapshots, self.replay = Snapshots(self.folder), ReplayPoint(self.folder)
        self.metrics = ServingMetrics(network) if root is None else root.metrics
        limits, files = self.settings.limits, self.settings.state
        self.letters = DeadLetters(self.folder, files.dead_letter_bytes, files.dead_letter_files)
        fence = None if lease is None else lease.check
        #: Held while a snapshot is written and while the champion is changed: a snapshot is of one model.
        self.changing = asyncio.Lock()
        self.store = FeedbackStore(self.folder / ALERTS, LOCK_TIMEOUT, fence)
        self.deliveries = Deliveries(
            self.folder / ALERTS, self.settings.receivers, self.metrics, fence, self._lease.flush
        )
        self.shadow = Shadow(self, in_background=root is not None)
        self.reset()
        self._restore()
        self.active_alerts.reconcile()
        self._refresh_shadow()
        if root is None:
            limited = {"netops_device_risk": limits.risk_series, "netops_device_metric": limits.telemetry_series}
            self.metrics.registry.register(MergedCollector(self._collectors, limited))

    @property
    def parts(self) -> "Sequence[Runtime]":
        """The runtimes with the devices: this one, or one per partition of a stream."""
        return [self] if self.partitions is None else self.partitions.runtimes

    def _collectors(self) -> list[Collector]:
        kinds = (RuntimeCollector, FleetCollector, ShadowCollector)
        found: list[Collector] = [kind(part) for kind in kinds for part in self.parts or [self]]
        # The shadow of the partitions is looked up and loaded for the process.
        return found if self.partitions is None else [*found, ShadowCollector(self)]

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
        if not self._has_metrics_of(model):
            raise NetopsError(f"model {model.version} requires other metrics than those of network {self.network}")
        before = self.model
        if model.spec != before.spec or model.counted or before.counted:
            self.state.change_spec(model.spec, model.counted)
        self.model = model
        if model.spec.metrics != before.spec.metrics:
            waiting = with_metrics(self.joiner.save(), OtherMetrics(before.spec.metrics, model.spec))
            has_truth = self.reader.truth
            self._read_metrics()
            self.reader.truth = has_truth
            self.joiner.restore(waiting)
        self._accept_messages()
        self.state.recent.reset()
        self.state.tracker.policy = self.alerting.policy(model.threshold, model.horizon)

    def _has_metrics_of(self, model: ServedModel) -> bool:
        """Return whether samples for a model have the same metrics, apart from counts of messages."""
        return (set(model.sent_metrics), model.counters) == (set(self.model.sent_metrics), self.model.counters)

    def _read_metrics(self) -> None:
        """Read samples with the metrics of the champion."""
        metrics, time, limits = self.model.spec.metrics, self.settings.time, self.settings.limits
        self.reader = JsonReader(metrics, limits.batch, limits.name_length)
        self.joiner = Joiner(
            metrics, time.join_wait, limits.devices, time.future_limit, expected=self.model.sent_metrics
        )

    def _accept_messages(self) -> None:
        """Accept what the champion counts."""
        self.messages = {
            entry: MessageIntake(entry, self.state, self.settings, self.replay, self.metrics)
            for entry in self.state.counts
        }

    def intake(self, entry: str) -> MessageIntake:
        """Return what accepts logs or events.

        Raises
        ------
        NetopsError
            If the champion does not count them.
        """
        if entry not in self.messages:
            raise NetopsError(f"the champion was trained without {entry}: train one with --{entry}")
        return self.messages[entry]

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
            self.discard()

    async def flush(self) -> None:
        """Wait until what has been stored about alerts is durable.

        Raises
        ------
        FencedError
            If another process has taken over the state, or it is not durable.
        """
        await asyncio.to_thread(self._lease.flush)

    def discard(self) -> None:
        """Close all files without saving the state."""
        self.deliveries.stop()
        self.store.close()
        self.letters.close()
        self._lease.release()

    def reset(self) -> None:
        """Reset the state: no devices."""
        model = self.model
        policy = self.alerting.policy(model.threshold, model.horizon)
        self.state = FleetState(model.spec, policy, self.settings, model.counters, model.counted)
        self.active_alerts = ActiveAlerts(
            self.network,
            self.alerting,
            self.store,
            self.deliveries.names,
            self.state,
            self.deliveries.reopen,
            self._network_roll_up,
        )
        self._read_metrics()
        self._accept_messages()
        self._housekeeping = Housekeeping(self.state, self.active_alerts, self.metrics)

    def _restore(self) -> None:
        try:
            read_snapshot(self)
        except NetopsError as error:
            _LOG.warning("%s; the file was renamed and the server starts with an empty state", error)
