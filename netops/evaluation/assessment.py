"""Assessment of a model: threshold from the validation split, metrics from the test split."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Floats
from netops.alerting.settings import AlertSettings
from netops.errors import NetopsError
from netops.evaluation.clock_baseline import clock_risks
from netops.evaluation.evaluate import Evaluation, evaluate
from netops.evaluation.static_baseline import StaticThresholds, baseline_columns, fit_baseline
from netops.evaluation.threshold import ThresholdChoice, choose_threshold
from netops.features.spec import FeatureSpec
from netops.models.card import read_card
from netops.models.platt import Platt
from netops.telemetry.dataset import Dataset
from netops.training.deviations import deviation_risks
from netops.training.examples import Examples, TrainingRows
from netops.training.rows import gather
from netops.training.train import split_risks

#: Placeholder of the threshold before one is chosen.
_ANY = 0.5
#: The last assessments of this process: examples, version, settings and seed → assessment.
_ASSESSED: dict[tuple[Path, str, str, AlertSettings, int], "Assessment"] = {}
_KEPT = 16


@dataclass(frozen=True)
class Assessment:
    """Threshold and metrics of a model or a baseline.

    Attributes
    ----------
    policy : AlertPolicy
        With the threshold chosen for the alert budget.
    choice : ThresholdChoice
        What validation shows of the threshold.
    evaluation : Evaluation
        On the test split, which is used for no selection.
    """

    policy: AlertPolicy
    choice: ThresholdChoice
    evaluation: Evaluation

    def figures(self) -> dict[str, float | None]:
        """Return the metrics of the test split by name; unknown ones are None."""
        found = self.evaluation.figures
        figures = {
            "average_precision": found.average_precision,
            "roc_auc": found.roc_auc,
            "base_rate": found.base_rate,
            "event_recall": found.event_recall,
            "false_alarms_per_device_day": found.false_alarms_per_device_day,
            "median_lead_seconds": found.median_lead_seconds,
            "threshold": self.policy.threshold,
            "precision": found.precision,
            "brier": self.evaluation.reliability.brier,
            "expected_calibration_error": self.evaluation.reliability.expected_calibration_error,
        }
        return {name: float(value) if np.isfinite(value) else None for name, value in figures.items()}

    def interval_ends(self) -> dict[str, float]:
        """Return the ends of the 95% intervals as numbers by name: ``event_recall.low``, ``event_recall.high``."""
        ends = {
            f"{name}.{end}": getattr(spread, end)
            for name, spread in self.evaluation.intervals.items()
            for end in ("low", "high")
        }
        return {name: float(value) for name, value in ends.items() if np.isfinite(value)}


def assess(
    examples: Examples,
    validation: Floats,
    test: Floats,
    settings: AlertSettings,
    seed: int = 0,
    calibration: Platt | None = None,
) -> Assessment:
    """Choose the threshold of a model and take its figures.

    Parameters
    ----------
    examples : Examples
        With the splits that the risks belong to.
    validation, test : float64 array
        Risks in the order of the rows of each split; NaN for samples that are not scored.
    settings : AlertSettings
        The alert budget, and when a risk becomes an alert.
    seed : int
        Of the bootstrap.
    calibration : Platt, optional
        How the risks become probabilities (``Platt.from_dict(card.calibration)``); they choose no threshold.
    """
    split = examples.evaluation_split("validation")
    budget = settings.false_alarms_per_device_day
    choice = choose_threshold(split, validation, settings.policy(_ANY, examples.horizon), budget)
    caution = " ".join(filter(None, (settings.budget_caution(examples.horizon), choice.note)))
    choice = replace(choice, note=caution)
    policy = settings.policy(choice.threshold, examples.horizon)
    probabilities = calibration.apply(test) if calibration else None
    found = evaluate(examples.evaluation_split("test"), test, policy, probabilities=probabilities, seed=seed)
    return Assessment(policy, choice, found)


def assess_model(examples: Examples, model: Path, settings: AlertSettings, seed: int = 0) -> Assessment:
    """Assess a model folder: :func:`assess` with its risks over both splits and its own calibration.

    The selection of a run has the assessments of its training, if that was in the same process.
    """
    card = read_card(model)
    key = (examples.folder, examples.key, card.version, settings, seed)
    if (found := _ASSESSED.get(key)) is None:
        validation, test = (split_risks(examples, model, split) for split in ("validation", "test"))
        found = assess(examples, validation, test, settings, seed, Platt.from_dict(card.calibration))
        _ASSESSED[key] = found
        for earlier in list(_ASSESSED)[:-_KEPT]:
            _ASSESSED.pop(earlier, None)
    return found


def assess_baseline(
    examples: Examples, settings: AlertSettings, seed: int = 0
) -> tuple[StaticThresholds, Assessment, Floats]:
    """Tune the static thresholds on the training split and assess them like any model.

    Returns
    -------
    tuple
        The baseline, its assessment, and its risks over the test split.
    """
    baseline = _fitted_baseline(examples.rows_of_fit(), examples, seed)
    validation, test = (baseline_risks(baseline, examples, split, seed) for split in ("validation", "test"))
    return baseline, assess(examples, validation, test, settings, seed), test


def _fitted_baseline(rows: TrainingRows, examples: Examples, seed: int) -> StaticThresholds:
    source = Dataset.open(Path(examples.sources["validation"]))
    if source.meta.features is None:
        raise NetopsError(f"{source.path}: contains no features; compute them again")
    columns = baseline_columns(FeatureSpec.from_dict(source.meta.features))
    columns = [name for name in columns if name in rows.names]
    features, labels = np.asarray(rows.array("features")), np.asarray(rows.array("labels")).astype(np.int8)
    return fit_baseline(features, labels, rows.array("weights"), rows.names, columns, seed=seed)


def assess_clock(examples: Examples, settings: AlertSettings, seed: int = 0) -> tuple[Assessment, Floats]:
    """Fit a model on the time alone, and evaluate it like any other: its predictions show no skill.

    Returns
    -------
    tuple
        Its assessment and its risks over the test split.
    """
    risks = clock_risks(examples, seed)
    return assess(examples, risks["validation"], risks["test"], settings, seed), risks["test"]


def assess_deviations(examples: Examples, settings: AlertSettings, seed: int = 0) -> tuple[Assessment, Floats]:
    """Fit the model without labels, and evaluate it like any other: it shows whether the labels helped.

    Returns
    -------
    tuple
        Its assessment and its risks over the test split.
    """
    risks = deviation_risks(examples, seed)
    return assess(examples, risks["validation"], risks["test"], settings, seed), risks["test"]


def baseline_risks(baseline: StaticThresholds, examples: Examples, split: str, seed: int = 0) -> Floats:
    """Return the risks of the static thresholds over ``validation`` or ``test``, in the order of its rows.

    The validation of cross-fitted examples is scored by thresholds that are tuned on the other folds.
    """
    rows, source = np.array(examples.array(split)), Dataset.open(Path(examples.sources[split]))
    risks = np.full(len(rows), np.nan)
    fits = [(np.ones(len(rows), np.bool_), baseline)]
    if examples.folds and split == "validation":
        of_row = examples.array("folds")
        fits = [
            (of_row == fold, _fitted_baseline(examples.rows_of_fit(fold), examples, seed))
            for fold in range(examples.folds)
        ]
    for mine, fitted in fits:
        scored = np.flatnonzero(mine & (rows >= 0))
        risks[scored] = fitted.score(gather(source, fitted.columns, rows[scored]), fitted.columns)
    return risks
