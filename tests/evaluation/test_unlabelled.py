"""Without labels: threshold, alert rate, promotion, and a report without figures of incidents."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from netops.alerting.outcomes import EvaluationSplit
from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Incidents, Sequences
from netops.alerting.settings import AlertSettings
from netops.config.durations import MINUTE
from netops.evaluation.promotion import PromotionSettings, Scorecard
from netops.evaluation.report.unlabelled import write_unlabelled_report
from netops.evaluation.seen import unseen_by
from netops.evaluation.unlabelled import AlertRate, UnlabelledAssessment, unlabelled_model
from netops.evaluation.unlabelled_promotion import decide_without_labels
from netops.evaluation.unlabelled_threshold import EXTENDED, MEASURED, choose_without_labels
from netops.models.card import ModelCard, read_card, write_card
from netops.telemetry.dataset import Dataset, finish
from netops.training.examples import Examples, prepare_examples
from netops.training.settings import TrainingSettings
from tests.evaluation.worlds import HORIZON, STEP
from tests.training.synthetic import make_dataset

POLICY = AlertPolicy(0.5, 2, HORIZON, expire=HORIZON)
SETTINGS = TrainingSettings(horizon=5 * MINUTE)


def quiet(devices: int = 60, samples: int = 4_000) -> EvaluationSplit:
    """Telemetry of 28 device-days of which nothing is known."""
    offsets, times = np.arange(devices + 1) * samples, np.tile(np.arange(samples) * STEP, devices)
    sequences = Sequences(tuple(f"d{number}" for number in range(devices)), offsets, times)
    labels = np.full(len(times), -1, np.int8)
    none: list[int] = []
    return EvaluationSplit(sequences, labels, Incidents.of(devices, none, none, none), HORIZON)


def episodes(split: EvaluationSplit, seed: int, *, per_device: int = 60, scale: float = 1.0) -> np.ndarray:
    """Make log-odds of usual variation: short episodes whose heights have an exponential tail."""
    rng, odds = np.random.default_rng(seed), np.full(len(split.labels), -12.0)
    odds += rng.normal(0, 0.1, len(odds))
    for start in rng.integers(0, len(odds) - 12, per_device * len(split.sequences.devices)):
        odds[start : start + 10] = np.maximum(odds[start : start + 10], -11 + rng.exponential(scale))
    return odds


def risks_of(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-odds))


def rate(split: EvaluationSplit, odds: np.ndarray, threshold: float) -> float:
    return AlertRate.of(split, risks_of(odds), replace(POLICY, threshold=threshold)).per_device_day


def test_usual_variation_keeps_to_the_budget_on_other_telemetry() -> None:
    split = quiet()
    for seed in range(3):
        choice = choose_without_labels(split, risks_of(episodes(split, seed)), POLICY, 0.5)
        assert rate(split, episodes(split, seed + 100), choice.threshold) < 1.0


def failing(split: EvaluationSplit, odds: np.ndarray) -> np.ndarray:
    """Add a failure of each device: a climb that ends far beyond all usual variation."""
    odds = odds.copy()
    for device in range(len(split.sequences.devices)):
        start = split.sequences.offsets[device] + 1_000 + 30 * device
        odds[start : start + 20] = np.linspace(-8, 12, 20)
    return odds


def test_failures_do_not_raise_the_extended_threshold() -> None:
    split = quiet()
    usual = episodes(split, 0)
    before = choose_without_labels(split, risks_of(usual), POLICY, 0.5)
    after = choose_without_labels(split, risks_of(failing(split, usual)), POLICY, 0.5)
    assert after.chosen_by == EXTENDED
    assert after.alerts >= 60  # each failure alerts: twice as many alerts as the budget allows at the very least
    assert rate(split, usual, after.threshold) < 0.5
    odds = [np.log(choice.threshold / (1 - choice.threshold)) for choice in (before, after)]
    assert abs(odds[1] - odds[0]) < 2.5
    assert "all of them false at worst" in after.note
    assert "usual variation alone is expected to use up the budget of 3.5 false alarms per" in after.note.lower()
    weekly = choose_without_labels(split, risks_of(failing(split, usual)), POLICY, 1 / 7)
    assert "the budget of 1 false alarm per device and week" in weekly.note


def test_the_measured_threshold_is_the_lower_one_where_few_alerts_are_raised() -> None:
    split = quiet()
    choice = choose_without_labels(split, risks_of(episodes(split, 0)), POLICY, 1e6)
    assert choice.chosen_by == MEASURED
    assert choice.alerts <= choice.budget * choice.device_days
    assert choice.threshold >= np.quantile(risks_of(episodes(split, 0)), 0.9)
    assert "all alerts count as false" in choice.note


@pytest.mark.parametrize("odds", [0.0, None])
def test_a_budget_of_nothing_and_a_constant_risk_never_alert(odds: float | None) -> None:
    split = quiet(devices=3)
    risks = risks_of(episodes(split, 0)) if odds is None else np.full(len(split.labels), 0.5)
    choice = choose_without_labels(split, risks, POLICY, 0.0)
    assert choice.alerts == 0
    assert choice.threshold > 0


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    work = tmp_path_factory.mktemp("unlabelled")
    return prepare_examples(healthy(work / "features"), SETTINGS, work)


def healthy(out: Path, seed: int = 0, scale: float = 1.0) -> Dataset:
    """Make telemetry of whose incidents nothing is known."""
    dataset = make_dataset(out, rows=3_000, seed=seed, scale=scale)
    for path in dataset.parts:
        table = pq.read_table(path)
        index = table.column_names.index("is_error")
        pq.write_table(table.set_column(index, "is_error", pa.array(np.zeros(table.num_rows, bool))), path)
    return finish(out, replace(dataset.meta, incidents=0), dataset.incidents().slice(0, 0))


@pytest.fixture(scope="module")
def made(examples: Examples) -> tuple[Path, ModelCard, UnlabelledAssessment]:
    folder = examples.folder.parent / "deviations"
    return folder, *unlabelled_model(examples, SETTINGS, AlertSettings(), folder, network="demo")


def test_the_card_says_how_it_was_chosen(made: tuple[Path, ModelCard, UnlabelledAssessment]) -> None:
    folder, card, assessment = made
    stored = read_card(folder)
    assert stored.to_dict() == card.to_dict()
    assert stored.supervised is False
    assert stored.threshold == assessment.choice.threshold == stored.alert["threshold"]
    assert stored.evaluation["unlabelled"] == asdict(assessment.choice)
    assert stored.evaluation["alerts"] == assessment.test.alerts
    assert not {"average_precision", "event_recall", "false_alarms_per_device_day"} & set(stored.evaluation)
    assert set(assessment.figures()) == {"alerts_per_device_day", "threshold"}
    assert "no incident is recorded" in stored.data["labels"]["unused"]


def test_a_card_of_an_earlier_version_is_of_a_trained_model(
    made: tuple[Path, ModelCard, UnlabelledAssessment],
) -> None:
    values = made[1].to_dict()
    del values["supervised"]
    assert ModelCard.from_dict(values).supervised is True


def test_the_report_has_no_figure_of_incidents(
    examples: Examples, made: tuple[Path, ModelCard, UnlabelledAssessment], tmp_path: Path
) -> None:
    folder, card, assessment = made
    decision = decide_without_labels(examples, folder, None, PromotionSettings(latency_ms=1e3))
    path = write_unlabelled_report(
        tmp_path / "report.html",
        network="demo",
        examples=examples,
        model=folder,
        assessment=assessment,
        decision=decision,
    )
    text = path.read_text(encoding="utf-8")
    assert card.version in text
    assert "trained without labels" in text
    assert "netops incidents add LOG.csv --name demo" in text
    for word in ("recall", "average precision", "Average precision", "No incident of this device"):
        assert word not in text


def decided(
    examples: Examples, new: Path, old: Path | Scorecard | None, latency_ms: float = 1e3
) -> tuple[bool, str]:
    decision = decide_without_labels(examples, new, old, PromotionSettings(latency_ms=latency_ms))
    return decision.promoted, decision.reason


def copied(folder: Path, out: Path, **changes: object) -> Path:
    out.mkdir()
    for path in folder.iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    write_card(out, replace(read_card(folder), **changes))  # type: ignore[arg-type]
    return out


def test_the_first_model_is_promoted(
    examples: Examples, made: tuple[Path, ModelCard, UnlabelledAssessment]
) -> None:
    assert decided(examples, made[0], None)[0]
    promoted, reason = decided(examples, made[0], None, latency_ms=0.0)
    assert not promoted
    assert "above the ceiling" in reason


def test_a_champion_trained_on_labels_stays(
    examples: Examples, made: tuple[Path, ModelCard, UnlabelledAssessment], tmp_path: Path
) -> None:
    old = copied(made[0], tmp_path / "old", version="old", supervised=True)
    promoted, reason = decided(examples, made[0], old)
    assert not promoted
    assert "was trained on labels" in reason


def test_a_champion_without_labels_is_replaced_where_it_alerts_too_often(
    examples: Examples, made: tuple[Path, ModelCard, UnlabelledAssessment], tmp_path: Path
) -> None:
    same = copied(made[0], tmp_path / "same", version="same")
    promoted, reason = decided(examples, made[0], same)
    assert not promoted
    assert "nothing shows that the new model is better" in reason
    alert = made[1].alert | {"threshold": 1e-4}
    often = copied(made[0], tmp_path / "often", version="often", threshold=1e-4, alert=alert)
    promoted, reason = decided(examples, made[0], often)
    assert promoted
    assert "what was unusual has become usual" in reason


def test_a_champion_that_cannot_be_evaluated_is_replaced(
    examples: Examples, made: tuple[Path, ModelCard, UnlabelledAssessment], tmp_path: Path
) -> None:
    assert decided(examples, made[0], Scorecard.failed("missing", "its files are missing"))[0]
    features = (*made[1].features[:-1], "other")
    other = copied(made[0], tmp_path / "other", version="other", features=features)
    promoted, reason = decided(examples, made[0], other)
    assert promoted
    assert "requires feature 'other'" in reason


def test_the_champion_itself_is_no_challenger(
    examples: Examples, made: tuple[Path, ModelCard, UnlabelledAssessment]
) -> None:
    promoted, reason = decided(examples, made[0], made[0])
    assert not promoted
    assert "in service already" in reason


def test_labels_are_new_to_a_model_that_has_seen_none(
    examples: Examples, made: tuple[Path, ModelCard, UnlabelledAssessment]
) -> None:
    split = examples.evaluation_split("validation")
    assert unseen_by(made[1], split).all()
    assert not unseen_by(replace(made[1], supervised=True, split={}), split).any()


def test_another_alert_budget_is_another_version_that_takes_over(
    examples: Examples, made: tuple[Path, ModelCard, UnlabelledAssessment], tmp_path: Path
) -> None:
    settings = replace(AlertSettings(), false_alarms_per_device_week=7.0)
    card, assessment = unlabelled_model(examples, SETTINGS, settings, tmp_path / "new", network="demo")
    assert card.version != made[1].version
    assert assessment.policy.threshold < made[2].policy.threshold
    promoted, reason = decided(examples, tmp_path / "new", made[0])
    assert promoted
    assert "the alert budget has changed" in reason
    assert "1 instead of 0.143 false alarms per device-day" in reason
    again, _ = unlabelled_model(examples, SETTINGS, settings, tmp_path / "again", network="demo")
    assert again.version == card.version
