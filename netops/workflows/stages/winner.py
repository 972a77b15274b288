"""What selection does with the winner of a run, trained with labels or without."""

from pathlib import Path
from typing import TYPE_CHECKING

from netops import registry
from netops.errors import NetopsError
from netops.evaluation.promotion import Decision, Scorecard
from netops.models.card import ModelCard
from netops.tracking.folders import local_model, output_path_of

if TYPE_CHECKING:
    from mlrun import MLClientCtx


def known(network: str, version: str) -> registry.Model | None:
    """Find a version that has been logged before, by an earlier attempt or another run."""
    return next((model for model in registry.versions(network) if model.version == version), None)


def not_rejected(network: str, card: ModelCard) -> Decision | None:
    """Refuse a version that has been rejected before: trained again, the same model is the same version."""
    found = known(network, card.version)
    if found is None or found.state != registry.REJECTED:
        return None
    return Decision(False, (f"version {card.version} was rejected before: {found.state_reason}",))


def champion_files(champion: registry.Model | None) -> Path | Scorecard | None:
    """Download the champion; report missing files, which must not prevent its replacement."""
    if champion is None:
        return None
    try:
        return local_model(champion.uri)
    except NetopsError as error:
        return Scorecard.failed(champion.version, str(error))


def log_report(context: "MLClientCtx", report: Path) -> None:
    """Log the report: in place on this machine, elsewhere uploaded."""
    target = f"{output_path_of(context)}/report.html"
    upload = "://" in target
    context.log_artifact("report", local_path=str(report), target_path=target, upload=upload, format="html")
    context.log_results({"report": target})
