"""Description of the calibration of a model."""

from netops.evaluation.report.words import counted, number
from netops.models.card import ModelCard
from netops.models.platt import Platt


def calibration_words(card: ModelCard) -> str:
    """Return how a model was calibrated and on what, or why it was not."""
    if found := Platt.from_dict(card.calibration):
        sign = "+" if found.intercept >= 0 else "−"
        formula = f"{number(found.slope)} × log-odds of the risk {sign} {number(abs(found.intercept))}"
        samples = f"{found.rows:,} samples of the validation split, {found.positives:,} of them positive"
        return f"log-odds of the probability = {formula} (Platt scaling), fitted on {samples}"
    if reason := card.calibration.get("reason"):
        rows = counted(int(card.calibration["rows"]), "labelled sample")
        return f"none, the model has no probability output. {reason} ({rows})"
    return "none: the model is from a version without calibration"
