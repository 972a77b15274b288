"""What operators said of alerts, as labels."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Incidents, Sequences
from netops.evaluation.evaluate import evaluate
from netops.telemetry.dataset import TIME_TYPE, VERDICTS_SCHEMA, Dataset, finish
from netops.training.examples import prepare_examples
from netops.training.feedback_labels import Verdicts
from netops.training.label_sources import summarize_labels
from netops.training.labelled import label
from netops.training.labels import label_rows
from netops.training.settings import TrainingSettings
from netops.training.splits import TEST, TRAIN, VALIDATION

from .synthetic import INTERVAL, START, make_dataset

HORIZON = 10 * INTERVAL
ROWS = 100


def table(rows: list[dict], base: int = 0, step: int = 1) -> pa.Table:
    """Verdicts with times in ticks."""
    columns = []
    for item in VERDICTS_SCHEMA:
        values = [row.get(item.name) for row in rows]
        if item.type == TIME_TYPE:
            ticks = [None if value is None else base + value * step for value in values]
            columns.append(pa.array(ticks, pa.int64()).cast(TIME_TYPE))
        else:
            columns.append(pa.array(values, item.type))
    return pa.table(columns, schema=VERDICTS_SCHEMA)


def labels_with(rows: list[dict], incidents: list[tuple[int, int]] = ()) -> tuple[np.ndarray, np.ndarray, Verdicts]:
    """Labels of one device of 100 ticks with a horizon of 10; which rows figures leave out."""
    sequences = Sequences(("a",), np.array([0, ROWS]), np.arange(ROWS) * INTERVAL)
    starts, ends = np.array(incidents, np.int64).reshape(-1, 2).T * INTERVAL
    known = Incidents.of(1, np.zeros(len(starts)), starts, ends)
    inside = known.inside(sequences)
    labels = label_rows(sequences.offsets, sequences.timestamps, inside, HORIZON)
    verdicts = Verdicts.from_table(
        table([{"device": "a"} | row for row in rows], 0, INTERVAL), ("a",), known, HORIZON
    )
    return verdicts.teach(sequences, labels, inside), verdicts.left_out(sequences), verdicts


def spans(rows: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], rows, [False]])))
    return [(int(low), int(high)) for low, high in zip(edges[::2], edges[1::2], strict=True)]


def test_a_repair_in_time_is_a_failure_that_was_coming() -> None:
    labels, left_out, _ = labels_with([{"opened": 40, "repaired_at": 46, "ended": 58, "verdict": "repaired"}])
    assert spans(labels == 1) == [(36, 46)]  # the horizon before the repair
    assert spans(labels[:90] == -1) == [(30, 36)]  # nobody knows whether it was that near already
    assert spans(labels == 0) == [(0, 30), (46, 90)]  # repaired, it is healthy
    assert spans(left_out) == [(30, 46)]


def test_a_late_repair_leaves_the_time_after_the_horizon_without_a_label() -> None:
    labels, left_out, _ = labels_with([{"opened": 40, "repaired_at": 70, "ended": 80, "verdict": "repaired"}])
    assert spans(labels == 1) == [(40, 50)]
    assert spans(labels[:90] == -1) == [(30, 40), (50, 70)]
    assert spans(left_out) == [(30, 70)]


@pytest.mark.parametrize("verdict", ["confirmed", "repaired"])
def test_without_a_time_of_repair_the_end_is_derived_from_the_risk(verdict: str) -> None:
    labels, left_out, _ = labels_with([{"opened": 40, "calm_since": 45, "ended": 55, "verdict": verdict}])
    assert spans(labels == 1) == [(35, 45)]
    assert spans(labels[:90] == -1) == [(30, 35), (45, 55)]
    assert spans(left_out) == [(30, 55)]


def test_an_alert_that_is_still_open_promises_a_failure_within_the_horizon() -> None:
    labels, left_out, _ = labels_with([{"opened": 40, "verdict": "confirmed"}])
    assert spans(labels == 1) == [(40, 50)]
    assert spans(labels[:90] == -1) == [(30, 40), (50, 60)]
    assert spans(left_out) == [(30, 60)]


def test_the_sample_that_opened_the_alert_is_a_positive_however_short_it_was() -> None:
    for calm in (40, 41, 45, 60, None):
        labels, *_ = labels_with(
            [{"opened": 40, "calm_since": calm, "ended": calm and calm + 10, "verdict": "confirmed"}]
        )
        assert labels[40] == 1


@pytest.mark.parametrize("verdict", ["confirmed", "repaired", "dismissed"])
@pytest.mark.parametrize("incident", [(45, 49), (38, 42)])
def test_where_an_incident_is_known_it_alone_counts(verdict: str, incident: tuple[int, int]) -> None:
    plain, *_ = labels_with([], [incident])
    labels, left_out, verdicts = labels_with([{"opened": 40, "ended": 60, "verdict": verdict}], [incident])
    assert (labels == plain).all()
    assert not left_out.any()
    assert verdicts.corroborated.all()


def test_a_dismissed_alert_changes_no_label_and_its_samples_are_named() -> None:
    plain, *_ = labels_with([])
    labels, left_out, verdicts = labels_with([{"opened": 40, "ended": 55, "verdict": "dismissed"}])
    assert (labels == plain).all()
    assert not left_out.any()
    sequences = Sequences(("a",), np.array([0, ROWS]), np.arange(ROWS) * INTERVAL)
    assert spans(verdicts.dismissed(sequences)) == [(40, 55)]


def test_incidents_nearby_keep_their_labels() -> None:
    labels, *_ = labels_with([{"opened": 40, "ended": 60, "verdict": "confirmed"}], [(35, 38), (58, 60)])
    assert (labels[35:38] == -1).all()
    assert (labels[48:58] == 1).all()
    assert (labels[58:60] == -1).all()
    assert (labels[25:35] == 1).all()


verdicts = st.fixed_dictionaries(
    {"opened": st.integers(0, ROWS - 1), "verdict": st.sampled_from(["confirmed", "repaired", "dismissed"])},
    optional={"calm": st.integers(0, 30), "ended": st.integers(0, 30), "repair": st.integers(1, 30)},
)
failures = st.lists(st.tuples(st.integers(0, ROWS - 1), st.integers(1, 8)), max_size=4)


@settings(max_examples=200, deadline=None)
@given(st.lists(verdicts, max_size=4), failures)
def test_every_row_is_what_the_words_say(verdicts: list[dict], failed: list[tuple[int, int]]) -> None:
    flags = np.zeros(ROWS, bool)
    for first, length in failed:
        flags[first : first + length] = True
    incidents = [tuple(int(t) for t in span) for span in spans(flags)]
    rows = [ticks(one) for one in verdicts]
    plain, *_ = labels_with([], incidents)
    labels, left_out, _ = labels_with(rows, incidents)
    coming = [span_of(row) for row in rows if row["verdict"] != "dismissed" and not known(row["opened"], incidents)]
    for row in range(ROWS):
        unsure = any(opened - 10 <= row < end for opened, _, end in coming)
        assert left_out[row] == unsure
        if flags[row]:
            expected = -1
        elif any(0 < start - row <= 10 for _, start, _ in coming):
            expected = 1
        else:
            expected = -1 if unsure and plain[row] == 0 else plain[row]
        assert labels[row] == expected


def ticks(one: dict) -> dict:
    """A verdict whose times follow each other: the risk comes down, the alert ends, the device is repaired."""
    row = {"opened": one["opened"], "verdict": one["verdict"]}
    if "ended" in one:
        row["calm_since"] = row["opened"] + one.get("calm", 0)
        row["ended"] = row["calm_since"] + one["ended"]
    if "repair" in one and one["verdict"] == "repaired":
        row["repaired_at"] = row["opened"] + one["repair"]
    return row


def span_of(row: dict) -> tuple[int, float, float]:
    """Opening, supposed start and end of the trouble, in ticks; "just after the opening" is a hair later."""
    opened, repaired, ended = row["opened"], row.get("repaired_at"), row.get("ended")
    until = repaired if repaired is not None else row.get("calm_since", opened + 10)
    start = min(max(until, opened + 1e-9), opened + 10)
    over = repaired if repaired is not None else ended if ended is not None else start + 10
    return opened, start, max(start, over)


def known(opened: int, incidents: list[tuple[int, int]]) -> bool:
    return any(start - 10 <= opened < end for start, end in incidents)


def with_verdicts(dataset: Dataset, rows: list[dict]) -> Dataset:
    verdicts = table([{"source": "operator", "alert": str(n)} | row for n, row in enumerate(rows)], START, INTERVAL)
    return finish(dataset.path, dataset.meta, dataset.incidents(), verdicts)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("plain") / "f")


def healthy_tick(dataset: Dataset, device: str, low: int, high: int, room: int = 150) -> int:
    """Find a tick far from the incidents of a device."""
    starts = [
        (row["start"].value - START) // INTERVAL
        for row in dataset.incidents().to_pylist()
        if row["device"] == device
    ]
    return next(t for t in range(low, high) if all(start < t - 40 or start > t + room for start in starts))


SETTINGS = TrainingSettings(horizon=60 * INTERVAL, cross_fit="never", max_rows=2_000, split="time")


def test_verdicts_label_training_and_are_excluded_from_metrics(plain: Dataset, tmp_path: Path) -> None:
    early = healthy_tick(plain, "d000", 200, 900)
    late = healthy_tick(plain, "d001", 1_700, 1_900, room=70)
    base = label(plain, SETTINGS.horizon, "time", 0)[0]
    assert not base.left_out.any()
    dataset = make_dataset(tmp_path / "f")
    rows = [
        {"device": "d000", "opened": early, "repaired_at": early + 30, "verdict": "repaired"},
        {"device": "d001", "opened": late, "verdict": "confirmed"},
        {"device": "gone", "opened": late, "verdict": "confirmed"},
    ]
    with_feedback = label(with_verdicts(dataset, rows), SETTINGS.horizon, "time", 0)[0]
    assert (with_feedback.split.of_row == base.split.of_row).all()
    assert (with_feedback.labels == base.labels).all()
    added = np.flatnonzero((with_feedback.training_labels == 1) & (base.labels != 1))
    assert len(added) >= 60
    assert (with_feedback.sequences.timestamps[added[:60]] < START + (early + 30) * INTERVAL).all()
    # The test split: as many incidents as without, and no label where the verdict is the only evidence.
    before, after = base.evaluation_split(TEST), with_feedback.evaluation_split(TEST)
    assert (after.observed == before.observed).all()
    assert (after.labels[after.left_out] == -1).all()
    assert (after.labels[~after.left_out] == before.labels[~after.left_out]).all()
    assert after.device_days.sum() < before.device_days.sum()
    # An alert there is no false alarm, and none is rewarded.
    risks = np.zeros(len(after.labels))
    at = np.flatnonzero(after.left_out)
    risks[at] = 1.0
    policy = AlertPolicy(threshold=0.5, for_samples=2, cooldown=SETTINGS.horizon)
    found = evaluate(after, risks, policy, resamples=10).figures
    assert (found.false_alarms, found.true_alerts) == (0, 0)
    assert evaluate(before, risks, policy, resamples=10).figures.false_alarms == 1
    assert not with_feedback.evaluation_split(VALIDATION).left_out.any()
    assert (
        with_feedback.evaluation_split(TRAIN).labels
        == with_feedback.training_labels[with_feedback.split.rows(TRAIN)]
    ).all()
    counts = summarize_labels([with_feedback])
    assert counts["verdicts"] == {"confirmed": 1, "repaired": 1}
    assert counts["positives"] == int(
        ((with_feedback.training_labels == 1) & (base.labels != 1) & with_feedback.split.rows(TRAIN)).sum()
    )
    assert counts["left_out"] == int(after.left_out.sum())
    assert counts["incidents"] == {"telemetry": plain.meta.incidents}


def test_samples_of_dismissed_alerts_are_all_selected_with_weight_one(plain: Dataset, tmp_path: Path) -> None:
    at = healthy_tick(plain, "d002", 200, 900)
    rows = [{"device": "d002", "opened": at, "ended": at + 80, "verdict": "dismissed"}]
    dataset = with_verdicts(make_dataset(tmp_path / "f"), rows)
    before = prepare_examples(plain, SETTINGS, tmp_path / "before")
    after = prepare_examples(dataset, SETTINGS, tmp_path / "after")
    healthy = np.asarray(after.array("labels")) == 0
    sure = healthy & (np.asarray(after.array("weights")) == 1)
    assert int(sure.sum()) == 80
    assert (np.asarray(before.array("weights"))[np.asarray(before.array("labels")) == 0] > 1.5).all()
    totals = [float(np.asarray(e.array("weights")).sum()) for e in (before, after)]
    assert totals[0] == pytest.approx(totals[1])
    assert after.info["data"]["labels"]["hard_negatives"] == 80
    assert int(after.array("hard").sum()) == 80


def test_repaired_alerts_are_learned_from(plain: Dataset, tmp_path: Path) -> None:
    at = healthy_tick(plain, "d003", 200, 900)
    dataset = with_verdicts(make_dataset(tmp_path / "f"), [{"device": "d003", "opened": at, "verdict": "repaired"}])
    roomy = dataclasses.replace(SETTINGS, max_rows=100_000)
    before, after = (prepare_examples(d, roomy, tmp_path / d.path.parent.name) for d in (plain, dataset))
    with_feedback = after.info["data"]["labels"]
    assert after.info["data"]["positives"] - before.info["data"]["positives"] == with_feedback["positives"] == 60
