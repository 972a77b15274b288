"""A trained and assessed model as a version: its files, its artifact, and its figures as results of a run."""

from pathlib import Path
from typing import TYPE_CHECKING

from netops import registry
from netops.evaluation.assessment import Assessment
from netops.evaluation.unlabelled import UnlabelledAssessment
from netops.models.card import ModelCard
from netops.monitoring.reference import reference_of, write_reference
from netops.monitoring.settings import MonitoringSettings
from netops.training.examples import Examples
from netops.training.proof import write_proof

if TYPE_CHECKING:
    from mlrun import MLClientCtx
    from mlrun.artifacts import ModelArtifact


def log_version(
    context: "MLClientCtx",
    network: str,
    examples: Examples,
    folder: Path,
    card: ModelCard,
    assessment: Assessment | UnlabelledAssessment,
    monitoring: MonitoringSettings,
) -> "ModelArtifact":
    """Write the proof and the reference of a model into its folder, and log the folder.

    Parameters
    ----------
    context : mlrun.MLClientCtx
    network : str
    examples : Examples
        What the model was trained on.
    folder : Path
        Model folder.
    card, assessment
        Of the model.
    monitoring : MonitoringSettings
        What the reference is made by.
    """
    write_proof(examples, folder)
    write_reference(folder, reference_of(examples, folder, monitoring))
    return registry.log_model(
        context, network, folder, card, {**assessment.figures(), **assessment.interval_ends()}
    )


def figures_of(
    card: ModelCard, assessment: Assessment | UnlabelledAssessment, examples: Examples
) -> dict[str, object]:
    """Return the figures of a version that the summary of a run shows."""
    return {
        "version": card.version,
        **assessment.figures(),
        "fit_seconds": card.fit_seconds,
        "rows": len(examples.array("labels")),
        "note": assessment.choice.note,
    }
