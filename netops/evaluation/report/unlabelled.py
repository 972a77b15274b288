"""The report of a run without labels: what the model is, how often it alerts, and why. No figure of incidents."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from netops.config.durations import SECOND
from netops.evaluation.promotion import Decision
from netops.evaluation.report.content import usual_ranges
from netops.evaluation.report.episodes import Episode, choose_episodes, with_metrics
from netops.evaluation.report.facts import telemetry_facts
from netops.evaluation.report.importance import metric_of
from netops.evaluation.report.log_marks import log_texts
from netops.evaluation.report.matched_alerts import MatchedAlerts
from netops.evaluation.report.reasons import reasons_of
from netops.evaluation.report.telemetry_figure import telemetry_figure
from netops.evaluation.report.words import counted, moment, number, spread
from netops.evaluation.report.write import render
from netops.evaluation.unlabelled import AlertRate, UnlabelledAssessment
from netops.files import write_text
from netops.models.card import ModelCard, read_card
from netops.models.explanation import Reason
from netops.telemetry.description import reading_lines
from netops.training.examples import Examples
from netops.training.train import split_risks

TEMPLATE = "unlabelled.html.j2"
#: Maximum number of metrics drawn per alert.
_MOST_METRICS = 4
#: Multiples of the odds of the threshold that are shown.
_OTHERS = (0.25, 0.5, 1.0, 2.0, 4.0)


def write_unlabelled_report(
    path: Path,
    *,
    network: str,
    examples: Examples,
    model: Path,
    assessment: UnlabelledAssessment,
    decision: Decision,
    run_id: str = "",
) -> Path:
    """Write the report of a run without labels as one self-contained HTML file.

    Parameters
    ----------
    path : Path
        The file; it appears whole or not at all.
    network : str
    examples : Examples
        Without labels.
    model : Path
        Folder of the model without labels.
    assessment : UnlabelledAssessment
        Its threshold, and how often it alerts.
    decision : Decision
        Whether it is promoted.
    run_id : str
        Of the run, if any.

    Returns
    -------
    Path
        ``path``.
    """
    content = _Content(network, examples, model, assessment, decision)
    write_text(path, render(content.everything() | {"run_id": run_id}, TEMPLATE))
    return path


@dataclass(frozen=True)
class _Content:
    """The fields are the parameters of ``write_unlabelled_report``."""

    network: str
    examples: Examples
    model: Path
    assessment: UnlabelledAssessment
    decision: Decision

    def everything(self) -> dict[str, object]:
        """Return the variables of the template, figures as SVG."""
        main, card = self.examples.labelled[0], read_card(self.model)
        split, risks = self.examples.evaluation_split("test"), split_risks(self.examples, self.model, "test")
        return {
            "network": self.network,
            "card": card,
            "decision": self.decision,
            "why": self.examples.why,
            "choice": self.assessment.choice,
            "test": self.assessment.test,
            "range": spread(self.assessment.test.interval),
            "policy": self.assessment.policy,
            "others": self._others(),
            "facts": telemetry_facts(self.examples),
            "reading": list(reading_lines(main.dataset.meta)),
            "episodes": self._episodes(card, MatchedAlerts.of(split, risks, self.assessment.policy)),
            "horizon_seconds": self.examples.horizon / SECOND,
            "counted": counted,
        }

    def _others(self) -> list[dict[str, object]]:
        """Count the alerts of the test split at other thresholds."""
        split, risks = self.examples.evaluation_split("test"), split_risks(self.examples, self.model, "test")
        policy = self.assessment.policy
        odds = policy.threshold / max(1 - policy.threshold, 1e-12)
        thresholds = [policy.threshold if times == 1 else odds * times / (1 + odds * times) for times in _OTHERS]
        return [
            {"threshold": threshold, "in_service": threshold == policy.threshold, "rate": rate}
            for threshold in thresholds
            for rate in [AlertRate.of(split, risks, replace(policy, threshold=threshold))]
        ]

    def _episodes(self, card: ModelCard, matched: MatchedAlerts) -> list[dict[str, object]]:
        found = choose_episodes(self.examples, matched, None)
        reasons = reasons_of(self.examples, self.model, found)
        metrics = [_metrics(card, why) for _, why in reasons]
        found = with_metrics(self.examples, found, metrics, log_texts(card))
        usual, threshold = usual_ranges(card), self.assessment.policy.threshold
        return [
            {
                "device": episode.device,
                "location": episode.location,
                "note": _note(episode),
                "reasons": why,
                "logs": episode.logs,
                "figure": telemetry_figure(episode, threshold, usual, f"alert-{index}", card.interval_seconds),
            }
            for index, (episode, (_, why)) in enumerate(zip(found, reasons, strict=True))
        ]


def _metrics(card: ModelCard, why: list[Reason]) -> list[str]:
    """Choose the metrics to draw: those of the reasons, then the others, in their order."""
    there = [metric for metric in card.metrics if metric in card.features]
    owners = [metric_of(reason.feature, card.metrics) for reason in why]
    wanted = [metric for metric in dict.fromkeys([*owners, *there]) if metric in there][:_MOST_METRICS]
    return [metric for metric in there if metric in wanted]


def _note(episode: Episode) -> str:
    top = float(np.nanmax(episode.risks)) if np.isfinite(episode.risks).any() else float("nan")
    return f"Opened {moment(episode.at)} UTC; the risk rose to {number(top)}."
