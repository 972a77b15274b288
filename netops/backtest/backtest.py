"""The backtest: replay past telemetry, then evaluate it like a test split."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from time import perf_counter

import numpy as np

from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Flags
from netops.alerting.settings import AlertSettings
from netops.backtest.alternatives import Alternative, Sweep
from netops.backtest.findings import (
    FalseAlarm,
    Findings,
    Incident,
    ServedAlerts,
    find,
    plain_reasons,
    unobserved,
)
from netops.backtest.history import History
from netops.backtest.replay import Replayed, reasons_at, replay
from netops.backtest.trained import counted_rows, trained_rows
from netops.config.durations import SECOND
from netops.errors import NetopsError
from netops.evaluation.evaluate import Evaluation, evaluate
from netops.evaluation.report.matched_alerts import MatchedAlerts
from netops.features.spec import FeatureSpec
from netops.models.card import ModelCard, read_card
from netops.models.platt import Platt
from netops.progress import Progress, silent
from netops.serving.decode.times import iso
from netops.serving.engine.champion import FixedModel
from netops.serving.settings import ServingSettings
from netops.telemetry.dataset import Dataset

#: Metrics that are reported with intervals.
FIGURES = ("event_recall", "false_alarms_per_device_day", "precision", "median_lead_seconds", "average_precision")


@dataclass(frozen=True)
class Backtest:
    """The result of a backtest.

    Attributes
    ----------
    card : ModelCard
    policy : AlertPolicy
        The policy in force.
    history : History
    replayed : Replayed
    trained, counted : bool array, rows of the history
        Rows the model was trained on; rows that are counted.
    evaluation : Evaluation or None
        Evaluation over the counted rows; None if there are none.
    thresholds, budgets : list of Alternative
        Results at other thresholds and budgets.
    incidents : list of Incident
        Sorted by start.
    false_alarms : list of FalseAlarm
        Sorted by opening.
    seconds : float
        Duration of the replay.
    """

    card: ModelCard
    policy: AlertPolicy
    history: History
    replayed: Replayed
    trained: Flags
    counted: Flags
    evaluation: Evaluation | None
    incidents: list[Incident]
    false_alarms: list[FalseAlarm]
    seconds: float
    thresholds: list[Alternative] = field(default_factory=list)
    budgets: list[Alternative] = field(default_factory=list)

    @cached_property
    def span(self) -> tuple[str, str]:
        """The times of the first and the last sample."""
        times = self.history.sequences.timestamps
        return iso(int(times.min())), iso(int(times.max()))

    def to_dict(self) -> dict[str, object]:
        """Return the result as plain values for JSON."""
        sequences = self.history.sequences
        return {
            "network": self.card.network,
            "family": self.card.family,
            "version": self.card.version,
            "telemetry": {
                "samples": len(sequences),
                "devices": len(sequences.devices),
                "incidents": len(self.history.incidents),
                "from": self.span[0],
                "to": self.span[1],
            },
            "policy": {
                "threshold": self.policy.threshold,
                "for": self.policy.for_samples,
                "cooldown_seconds": self.policy.cooldown / SECOND,
                "expire_seconds": self.policy.expires_after / SECOND,
                "horizon_seconds": self.card.horizon / SECOND,
            },
            "samples_trained_on": int(self.trained.sum()),
            "samples_counted": int(self.counted.sum()),
            "figures": self._figures(),
            "intervals": {k: asdict(v) for k, v in self.evaluation.intervals.items()} if self.evaluation else None,
            "incidents": [_plain(incident) for incident in self.incidents],
            "false_alarms": [_plain(alarm) for alarm in self.false_alarms],
            "thresholds": [asdict(one) for one in self.thresholds],
            "budgets": [asdict(one) for one in self.budgets],
            "server": self._server(),
            "seconds": self.seconds,
        }

    def _figures(self) -> dict[str, object] | None:
        if self.evaluation is None:
            return None
        reliability = self.evaluation.reliability
        error = reliability.expected_calibration_error
        calibration = {"brier": reliability.brier, "expected_calibration_error": error}
        return asdict(self.evaluation.figures) | calibration

    def _server(self) -> dict[str, object]:
        names = (
            "id",
            "kind",
            "device",
            "site",
            "opened",
            "renewed",
            "ended",
            "peak",
            "peak_at",
            "silenced",
            "rolled_up",
        )
        return {
            "samples": self.replayed.statuses,
            "samples_on_trial": self.replayed.quarantined,
            "alerts": [{name: getattr(alert, name) for name in names} for alert in self.replayed.alerts],
        }


def backtest(
    dataset: Dataset,
    model: FixedModel,
    network: str,
    serving: ServingSettings,
    alerting: AlertSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Backtest:
    """Replay telemetry through the serving pipeline with one model, and evaluate the alerts.

    Parameters
    ----------
    dataset : Dataset
        Telemetry with its incidents; counters are rates.
    model : FixedModel
        The model to serve.
    network : str
    serving, alerting
        Sections of the configuration.
    seed : int
        Seed of the bootstrap.
    progress : Progress

    Raises
    ------
    NetopsError
        If the model has no threshold or cannot be loaded.
    """
    card = read_card(model.path)
    if card.threshold is None:
        raise NetopsError(f"model {card.version} has no threshold and never alerts; pass another --version")
    history = History.read(dataset, FeatureSpec.from_dict(card.spec).metrics, card.horizon)
    since = perf_counter()
    replayed = replay(history, network, model, serving, alerting, progress)
    seconds = perf_counter() - since
    return _evaluate(card, history, replayed, alerting, seed, seconds)


def _evaluate(
    card: ModelCard, history: History, replayed: Replayed, alerting: AlertSettings, seed: int, seconds: float
) -> Backtest:
    policy = alerting.policy(float(card.threshold or 0.0), card.horizon)
    trained = trained_rows(card, history.sequences)
    counted = counted_rows(card, history, trained)
    split, risks = history.evaluation_split(counted), replayed.risks[counted]
    evaluation, others, budgets = None, [], []
    if counted.any():
        calibration = Platt.from_dict(card.calibration)
        probabilities = calibration.apply(risks) if calibration else None
        evaluation = evaluate(split, risks, policy, probabilities=probabilities, seed=seed)
        sweep = Sweep(split, risks, policy)
        others, budgets = sweep.thresholds_around(), sweep.budgets(alerting.false_alarms_per_device_week)
    incidents, false_alarms = _findings(history, replayed, policy, trained, counted)
    return Backtest(
        card,
        policy,
        history,
        replayed,
        trained,
        counted,
        evaluation,
        incidents,
        false_alarms,
        seconds,
        others,
        budgets,
    )


def _findings(
    history: History, replayed: Replayed, policy: AlertPolicy, trained: Flags, counted: Flags
) -> tuple[list[Incident], list[FalseAlarm]]:
    """Return the findings of counted and trained rows; an incident predictable from both is counted."""
    served = ServedAlerts(replayed.alerts, history.sequences.devices)
    both = [
        find(
            history,
            MatchedAlerts.of(history.evaluation_split(rows), replayed.risks[rows], policy),
            served,
            is_trained,
        )
        for rows, is_trained in ((trained, True), (counted, False))
    ]
    openings = np.unique(np.concatenate([found.rows for found in both]))
    explained = reasons_at(history, replayed.model, openings) if len(openings) else []
    reasons = dict(zip(openings.tolist(), explained, strict=True))
    return _joined([found.with_reasons(reasons) for found in both], history, trained)


def _joined(both: list[Findings], history: History, trained: Flags) -> tuple[list[Incident], list[FalseAlarm]]:
    found = both[0].incidents | both[1].incidents
    others = [index for index in range(len(history.incidents)) if index not in found]
    inside = np.array([_was_trained_on(history, trained, index) for index in range(len(history.incidents))])
    incidents = sorted(
        [*found.values(), *unobserved(history, others, inside)], key=lambda one: (one.start, one.device)
    )
    alarms = sorted([*both[0].false_alarms, *both[1].false_alarms], key=lambda one: (one.opened, one.device))
    return incidents, alarms


def _was_trained_on(history: History, trained: Flags, index: int) -> bool:
    row = history.row_at(int(history.incidents.device[index]), int(history.incidents.start[index]))
    return bool(trained[min(row, len(trained) - 1)])


def _plain(found: Incident | FalseAlarm) -> dict[str, object]:
    return asdict(found) | {"reasons": plain_reasons(found.reasons)}
