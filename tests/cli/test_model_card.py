"""The text output of ``netops models``."""

import numpy as np
import pytest

from netops.alerting.policy import AlertPolicy
from netops.cli.model_card import LISTED, described, listed
from netops.cli.output import plain
from netops.config.durations import HOUR
from netops.evaluation.evaluate import evaluate
from netops.evaluation.report.words import percent, significant
from netops.models.card import ModelCard
from netops.models.platt import Platt
from tests.evaluation.worlds import HORIZON, make_split, risks_of

CALIBRATION = Platt(0.8, -0.2, 1234, 56)


def card_of(threshold: float = 0.6, **changes) -> ModelCard:
    evaluated = make_split()
    risks = risks_of(evaluated.labels, 1.2)
    policy = AlertPolicy(threshold, 2, HOUR)
    found = evaluate(evaluated, risks, policy, probabilities=CALIBRATION.apply(risks))
    card = ModelCard("demo", "xgboost", "abc", ("a",), {}, ("a",), HORIZON, threshold=threshold)
    card = card.updated(alert=vars(policy), evaluation=found.to_dict(), calibration=CALIBRATION.to_dict())
    return ModelCard.from_dict(card.updated(**changes).to_dict())


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return card_of()


def test_metrics_are_shown_with_intervals_and_sample_sizes(card: ModelCard) -> None:
    found, lines = card.evaluation, list(described(card))
    (recall,) = [line for line in lines if line.startswith("  event recall ") and "incidents" in line]
    between = found["intervals"]["event_recall"]
    assert f"{percent(between['low'])} to {percent(between['high'])}" in recall
    assert f"{found['incidents_warned']} of {found['incidents']} incidents" in recall
    (error,) = [line for line in lines if line.startswith("  calibration error")]
    assert significant(found["expected_calibration_error"]) in error
    assert f"{significant(found['uncalibrated']['expected_calibration_error'])} before calibration" in error
    assert any("1,234 samples of the validation split, 56 of them positive" in line for line in lines)
    for title in ("By scenario", "By data center", "By device", "Other thresholds, on the test split"):
        assert title in lines


def test_every_group_has_a_line(card: ModelCard) -> None:
    lines = list(described(card))
    for kind, members in card.evaluation["groups"].items():
        at = lines.index(f"By {kind.replace('_', ' ')}")
        reported = {line.split()[0] for line in lines[at + 2 : at + 2 + len(members)]}
        assert reported == set(members)


def test_other_thresholds_surround_the_one_in_service(card: ModelCard) -> None:
    lines = list(described(card))
    rows = lines[lines.index("Other thresholds, on the test split") + 2 :]
    thresholds = [float(row.split()[0]) for row in rows]
    assert thresholds == sorted(thresholds, reverse=True)
    assert [row.split()[1] == "*" for row in rows].count(True) == 1
    assert len(rows) > 6


def test_a_model_that_never_alerts_and_one_not_evaluated() -> None:
    silent = list(described(card_of(threshold=2.0)))
    (alarms,) = [line for line in silent if line.startswith("  false alarms")]
    assert "at most" in alarms
    assert any("no alert true" in line for line in silent)
    assert list(described(card_of(evaluation={}))) == ["not evaluated yet: it has no threshold and no metrics"]


def test_an_old_card_is_printed_without_unknown_values(card: ModelCard) -> None:
    """Cards written without calibration, group intervals and lead quantiles."""
    old = dict(card.evaluation)
    for name in ("uncalibrated", "group_intervals", "brier"):
        del old[name]
    old["curve"] = {name: values for name, values in old["curve"].items() if name != "lead_quantiles"}
    old["intervals"] = {name: values for name, values in old["intervals"].items() if name != "brier"}
    lines = list(described(card.updated(evaluation=old, calibration={})))
    assert any("not calibrated" in line for line in lines)
    assert any("without calibration" in line for line in lines)
    assert "By scenario" in lines


def test_the_list_has_known_intervals() -> None:
    row = {"network": "demo", "version": "abc", "family": "xgboost", "champion": True, "event_recall": 0.9}
    row |= {"created": "2026-11-24 11:20:28.123456+00:00", "average_precision": 0.75, "intervals": {}}
    row["intervals"] = {"event_recall": {"low": 0.85, "high": 0.95}}
    reported = listed(row)
    assert list(reported) == list(LISTED.values())
    assert reported["event recall"] == "90% (85% to 95%)"
    assert reported["average precision"] == "0.750"
    assert reported["created"] == "2026-11-24 11:20:28"
    assert reported["median lead"] == "–"
    assert plain(np.float64(0.5)) == 0.5
