"""All that the template of the run report shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from netops.alerting.matching import MISSED
from netops.alerting.outcomes import EvaluationSplit
from netops.alerting.sequences import Flags, Floats
from netops.config.durations import SECOND
from netops.evaluation.assessment import Assessment
from netops.evaluation.clock_incidents import WithoutClock
from netops.evaluation.evaluate import Evaluation, Figures
from netops.evaluation.other_thresholds import other_thresholds
from netops.evaluation.promotion import Decision
from netops.evaluation.report import figures
from netops.evaluation.report.calibration import calibration_words
from netops.evaluation.report.cautions import cautions, verdict_of
from netops.evaluation.report.episodes import FALSE_ALARM, MISS, WARNED, choose_episodes, with_metrics
from netops.evaluation.report.facts import logs_of, scenarios_of, splits_of, telemetry_facts
from netops.evaluation.report.groups import groups_of
from netops.evaluation.report.importance import Importance, importance_of, metric_of
from netops.evaluation.report.leaderboard import COLUMNS, alarms_range, leaderboard, recall_range
from netops.evaluation.report.log_marks import log_texts
from netops.evaluation.report.matched_alerts import MatchedAlerts
from netops.evaluation.report.reasons import Reasons, reasons_of
from netops.evaluation.report.search import search_words
from netops.evaluation.report.telemetry_figure import Usual, telemetry_figure
from netops.evaluation.report.threshold_figures import alert_precision_figure, lead_by_alarms_figure
from netops.evaluation.report.timeline import Timeline
from netops.evaluation.report.words import counted, lasting, percent, significant, spread
from netops.evaluation.selection import Choice
from netops.evaluation.static_baseline import StaticThresholds
from netops.models.card import ModelCard, read_card
from netops.models.deviations import DEVIATIONS
from netops.telemetry.dataset import Dataset
from netops.telemetry.description import reading_lines
from netops.training.columns import feature_names
from netops.training.examples import Examples
from netops.training.train import split_risks

#: Maximum number of metrics drawn per episode.
_MOST_METRICS = 4
#: Quantiles of the training samples that bound the usual range of a metric.
_USUAL = (0.05, 0.95)


def usual_ranges(card: ModelCard) -> Usual:
    """Return the range that contains nine of ten training samples of each metric."""
    shares, quantiles = card.background.get("shares", []), card.background.get("quantiles", {})
    return {
        metric: (float(low), float(high))
        for metric in card.metrics
        if (known := quantiles.get(metric)) is not None
        for low, high in [np.interp(_USUAL, shares, known)]
    }


@dataclass(frozen=True)
class Content:
    """Content of the report of a run; the fields are the parameters of ``write_report``."""

    network: str
    examples: Examples
    models: Mapping[str, Path]
    assessments: Mapping[str, Assessment]
    choice: Choice
    decision: Decision
    baseline: StaticThresholds | None
    baseline_risks: Floats | None
    without: WithoutClock | None
    seed: int

    def everything(self) -> dict[str, object]:
        """Return the variables of the template, figures as SVG."""
        return {
            "network": self.network,
            "best": self.choice.best,
            "card": self.card,
            "cards": self.cards,
            "search": search_words(self.card),
            "verdict": verdict_of(self.best, self.choice.best, self.assessments.get(figures.BASELINE)),
            "policy": self.best.policy,
            "best_figures": self.best.evaluation.figures,
            "best_intervals": self.best.evaluation.intervals,
            "recall_range": recall_range(self.best.evaluation),
            "alarms_range": alarms_range(self.best.evaluation),
            "most_features": figures.MOST_FEATURES,
            "least_loss": figures.LEAST_LOSS,
            "baseline_figures": self._baseline_figures(),
            "spread": spread,
            "percent": percent,
            "significant": significant,
            "lasting": lasting,
            "counted": counted,
            "cautions": cautions(self.assessments, self.choice, self._source, self.without),
            "without": self.without,
            "decision": self.decision,
            "choice": self.choice,
            "series": self.series,
            "columns": COLUMNS,
            "leaderboard": leaderboard(self.assessments, self.choice, self.cards, self.series),
            "static_thresholds": self._static_thresholds(),
            "horizon_seconds": self.examples.horizon / SECOND,
            **self._data(),
            **self._comparisons(),
            **self._importance(),
            "episodes": self._episodes(),
            "has_logs": bool(self.card.logs),
        }

    @property
    def _source(self) -> str:
        return str(self.examples.labelled[0].dataset.meta.source)

    @property
    def best(self) -> Assessment:
        """The assessment of the selected model."""
        return self.assessments[self.choice.best]

    @cached_property
    def cards(self) -> dict[str, ModelCard]:
        """The model cards by family."""
        return {name: read_card(folder) for name, folder in self.models.items()}

    @property
    def card(self) -> ModelCard:
        """The card of the chosen model."""
        return self.cards[self.choice.best]

    @property
    def series(self) -> list[figures.Series]:
        """The line style of each model; a family has the same style in every run."""
        last = (figures.BASELINE, figures.CLOCK, DEVIATIONS)
        return figures.series_of(sorted(self.assessments, key=lambda name: (name in last, name)))

    @cached_property
    def validation(self) -> EvaluationSplit:
        """The split that the model was selected on."""
        return self.examples.evaluation_split("validation")

    @cached_property
    def test(self) -> EvaluationSplit:
        """The split that was used for no selection."""
        return self.examples.evaluation_split("test")

    @cached_property
    def matched(self) -> MatchedAlerts:
        """What the chosen model would have done on the test split."""
        risks = split_risks(self.examples, self.models[self.choice.best], "test")
        return MatchedAlerts.of(self.test, risks, self.best.policy)

    @cached_property
    def importance(self) -> Importance | None:
        """What the chosen model lives on."""
        folder = self.models[self.choice.best]
        return importance_of(self.examples, folder, self.validation, self.card.metrics, self.seed)

    def _baseline_figures(self) -> Figures | None:
        found = self.assessments.get(figures.BASELINE)
        return found.evaluation.figures if found else None

    def _static_thresholds(self) -> list[str]:
        assessment = self.assessments.get(figures.BASELINE)
        return self.baseline.describe(assessment.policy.threshold) if self.baseline and assessment else []

    def _data(self) -> dict[str, object]:
        logs, warned = logs_of(self.examples), self.matched.matching.lead != MISSED
        main = self.examples.labelled[0]
        times = [labelled.sequences.timestamps for labelled in self.examples.labelled]
        span = (min(int(some.min()) for some in times), max(int(some.max()) for some in times))
        timeline = Timeline(logs, warned, span, main.split.boundaries if main.split.kind == "time" else ())
        return {
            "reading": list(reading_lines(main.dataset.meta)),
            "facts": telemetry_facts(self.examples),
            "splits": splits_of(self.examples, self.validation, self.test),
            "scenarios": scenarios_of(logs, self._warned_by_scenario(warned), self.best.evaluation),
            "timeline": timeline.draw(),
            "groups": groups_of(self.best.evaluation),
        }

    def _warned_by_scenario(self, warned: Flags) -> dict[str, tuple[int, int]]:
        kinds = np.asarray(self.test.incidents.scenario, dtype=object)
        mine = {name: self.test.observed & (kinds == name) for name in set(self.test.incidents.scenario)}
        return {name: (int((own & warned).sum()), int(own.sum())) for name, own in mine.items()}

    def _comparisons(self) -> dict[str, object]:
        evaluations: dict[str, Evaluation] = {name: one.evaluation for name, one in self.assessments.items()}
        seconds, budget = self.examples.horizon / SECOND, self.best.choice.budget
        style = next(one.style for one in self.series if one.name == self.choice.best)
        return {
            "budget": budget,
            "false_alarms": figures.false_alarms_figure(evaluations, self.series, budget),
            "alert_precision": alert_precision_figure(evaluations, self.series),
            "lead_by_alarms": lead_by_alarms_figure(evaluations, self.series, self.choice.best, budget),
            "other_thresholds": other_thresholds(self.best.evaluation.to_dict()),
            "precision_recall": figures.precision_recall_figure(evaluations, self.series),
            "lead_times": figures.lead_times_figure(evaluations, self.series, seconds),
            "calibration": figures.reliability_figure(self.best.evaluation, style),
            "reliability": self.best.evaluation.reliability,
            "uncalibrated": self.best.evaluation.uncalibrated,
            "calibration_words": calibration_words(self.card),
        }

    def _importance(self) -> dict[str, object]:
        found = self.importance
        if found is None:
            return {"importance": None, "by_feature": "", "by_metric": ""}
        return {
            "importance": found,
            "by_feature": figures.importance_figure(found.features, "by-feature", "Feature importance"),
            "by_metric": figures.importance_figure(found.metrics, "by-metric", "Importance of whole metrics"),
        }

    def _metrics(self, reasons: Reasons) -> list[list[str]]:
        """Choose the metrics to draw for each episode: those of its reasons, then those the model lives on most."""
        columns = feature_names(Dataset.open(Path(self.examples.sources["test"])))
        there = [metric for metric in self.card.metrics if metric in columns]
        rank = list(self.importance.metrics) if self.importance else []
        chosen = []
        for _, why in reasons:
            owners = [metric_of(feature, self.card.metrics) for feature, *_ in why]
            wanted = [metric for metric in dict.fromkeys([*owners, *rank, *there]) if metric in there]
            chosen.append([metric for metric in there if metric in wanted[:_MOST_METRICS]])
        return chosen

    def _episodes(self) -> dict[str, list[dict[str, object]]]:
        """Return the episodes of each kind, with their drawings and reasons."""
        baseline = None
        if self.baseline_risks is not None:
            policy = self.assessments[figures.BASELINE].policy
            baseline = MatchedAlerts.of(self.test, self.baseline_risks, policy)
        found = choose_episodes(self.examples, self.matched, baseline)
        reasons = reasons_of(self.examples, self.models[self.choice.best], found)
        found = with_metrics(self.examples, found, self._metrics(reasons), log_texts(self.card))
        shown: dict[str, list[dict[str, object]]] = {WARNED: [], MISS: [], FALSE_ALARM: []}
        usual, threshold, interval = usual_ranges(self.card), self.best.policy.threshold, self.card.interval_seconds
        for number, (episode, (when, why)) in enumerate(zip(found, reasons, strict=True)):
            figure = telemetry_figure(episode, threshold, usual, f"episode-{number}", interval)
            shown[episode.kind].append({"episode": episode, "figure": figure, "when": when, "reasons": why})
        return shown
