"""Training and selection where the labels are too few: the model without labels takes their place."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from netops import registry
from netops.evaluation.promotion import Decision
from netops.evaluation.report.unlabelled import write_unlabelled_report
from netops.evaluation.unlabelled import UnlabelledAssessment, unlabelled_model
from netops.evaluation.unlabelled_promotion import decide_without_labels
from netops.models.card import ModelCard
from netops.models.deviations import DEVIATIONS
from netops.progress import say
from netops.tracking.folders import new_folder, work_folder
from netops.training.examples import Examples
from netops.workflows.settings import Settings
from netops.workflows.stages.versions import figures_of, log_version
from netops.workflows.stages.winner import champion_files, known, log_report, not_rejected

if TYPE_CHECKING:
    from mlrun import MLClientCtx

#: Result of a training stage that has nothing to learn from.
TRAINED = "trained"
#: How a network gets labels.
HOW = "netops incidents add, or --incidents LOG.csv, adds the incidents that the next run learns from"


def skip_training(context: "MLClientCtx", examples: Examples, family: str) -> None:
    """Log that a family is not trained; selection takes an artifact of every training."""
    note = f"no labels: not trained ({examples.why})"
    say(f"{family}: no labels: not trained")
    body = json.dumps({"family": family, "note": note})
    context.log_artifact("model", body=body, format="json", local_path=f"{family}-not-trained.json")
    context.log_results({TRAINED: "false", "note": note})


def select_without_labels(context: "MLClientCtx", examples: Examples, network: str, settings: Settings) -> None:
    """Build the model without labels, and decide whether it goes into service.

    Logs the results that selection logs among trained models; figures that need labels are not there.
    """
    say(f"too few labels: a model without labels ({DEVIATIONS}) is trained instead ({examples.why})")
    card, assessment, address = _build(context, examples, network, settings)
    champion, folder = registry.champion(network), _folder(context)
    decision = not_rejected(network, card) or decide_without_labels(
        examples, folder, champion_files(champion), settings.promotion, seed=settings.training.seed
    )
    _report(context, examples, network, assessment, decision)
    _log(context, assessment, decision, examples.why)
    context.log_results(
        {
            "best": DEVIATIONS,
            "best_model": address,
            "promoted": str(decision.promoted).lower(),
            "reason": f"{DEVIATIONS}, without labels: {examples.why}; {decision.reason}",
            "warnings": [f"{assessment.choice.note} {HOW}."],
            "compared_with": champion.version if champion else "none",
            "champion": {"family": champion.family, "version": champion.version} if champion else None,
            "rows": len(examples.array("validation")),
            DEVIATIONS: figures_of(card, assessment, examples),
        }
    )


def _report(
    context: "MLClientCtx", examples: Examples, network: str, assessment: UnlabelledAssessment, decision: Decision
) -> None:
    report = write_unlabelled_report(
        new_folder(context, "report.html"),
        network=network,
        examples=examples,
        model=_folder(context),
        assessment=assessment,
        decision=decision,
        run_id=context.labels.get("workflow", ""),
    )
    log_report(context, report)


def _log(context: "MLClientCtx", assessment: UnlabelledAssessment, decision: Decision, why: str) -> None:
    """Log what selection logs of trained models: the leaderboard, of one row, and the decision."""
    summary = {
        "choice": f"{DEVIATIONS}, without labels: {why}",
        "promoted": decision.promoted,
        "reasons": list(decision.reasons),
    }
    for key, body in (("leaderboard", {DEVIATIONS: assessment.to_dict()}), ("decision", summary)):
        context.log_artifact(key, body=json.dumps(body), format="json", local_path=f"{key}.json")


def _folder(context: "MLClientCtx") -> Path:
    return work_folder(context) / "models" / DEVIATIONS


def _build(
    context: "MLClientCtx", examples: Examples, network: str, settings: Settings
) -> tuple[ModelCard, UnlabelledAssessment, str]:
    folder = _folder(context)
    card, assessment = unlabelled_model(examples, settings.training, settings.alerting, folder, network=network)
    if logged := known(network, card.version):  # by an earlier attempt
        return card, assessment, logged.uri
    artifact = log_version(context, network, examples, folder, card, assessment, settings.monitoring)
    return card, assessment, artifact.get_store_url(with_tag=False)
