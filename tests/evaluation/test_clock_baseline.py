"""What the clock alone predicts, and what is left without incidents that follow it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from netops.alerting.outcomes import outcomes
from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Sequences
from netops.alerting.settings import AlertSettings
from netops.config.durations import DAY, HOUR, MINUTE
from netops.evaluation.assessment import assess_clock
from netops.evaluation.clock_baseline import clock_features
from netops.evaluation.clock_incidents import following_clock, without_clock
from netops.evaluation.report.cautions import clock_incidents, no_better_than_clock
from netops.telemetry.dataset import DEVICE_TYPE, INCIDENTS_SCHEMA, TIME_TYPE, Dataset, Meta, finish, write_part
from netops.training.examples import Examples, prepare_examples
from netops.training.settings import TrainingSettings
from tests.evaluation.worlds import make_split, risks_of
from tests.training.synthetic import METRICS, spec

MONDAY = 1_767_571_200 * 10**9  # 2026-01-05T00:00:00Z
DAYS, STEP = 12, 10 * MINUTE


def telemetry(folder: Path, daily: bool) -> Dataset:
    """Noise of four devices that fail once a day, at three in the morning or at any time."""
    folder.mkdir()
    random, tables, incidents = np.random.default_rng(0), [], []
    rows = DAYS * DAY // STEP
    times = MONDAY + np.arange(rows) * STEP
    for name in ("a", "b", "c", "d"):
        error = np.zeros(rows, bool)
        for day in range(DAYS):
            first = day * DAY // STEP + (18 if daily else int(random.integers(12, 130)))
            error[first : first + 3] = True
            incidents.append((name, int(times[first]), int(times[first + 3])))
        keys = {
            "timestamp": pa.array(times).cast(TIME_TYPE),
            "device": pa.array([name] * rows).cast(DEVICE_TYPE),
            "is_error": pa.array(error),
        }
        noise = {column: pa.array(random.normal(0, 1, rows)) for column in spec().names}
        tables.append(pa.table(keys | noise))
    write_part(folder, 0, pa.concat_tables(tables).unify_dictionaries())
    columns = [pa.array([row[i] for row in incidents], INCIDENTS_SCHEMA.field(i).type) for i in range(3)]
    described = Meta(METRICS, (), 4 * rows, 4, len(incidents), STEP / 10**9, "noise.csv", features=spec().to_dict())
    return finish(folder, described, pa.table(columns, schema=INCIDENTS_SCHEMA))


def examples(folder: Path, daily: bool) -> Examples:
    return prepare_examples(
        telemetry(folder / "t", daily), TrainingSettings(horizon=HOUR, cross_fit="never"), folder / "work"
    )


def test_the_clock_shows_hour_weekday_and_age() -> None:
    times = np.array([MONDAY, MONDAY + 26 * HOUR, MONDAY + 8 * HOUR, MONDAY + 9 * HOUR])
    shown = clock_features(Sequences(("a", "none", "b"), np.array([0, 2, 2, 4]), times))
    assert shown.tolist() == [[0, 0, 0], [2, 1, 26], [8, 0, 0], [9, 0, 1]]


@pytest.mark.parametrize("daily", [True, False])
def test_it_predicts_what_happens_at_the_same_time_each_day_alone(tmp_path: Path, daily: bool) -> None:
    evaluated, risks = assess_clock(examples(tmp_path, daily), AlertSettings())
    figures = evaluated.evaluation.figures
    assert len(risks) == figures.samples + np.isnan(risks).sum()
    assert (figures.average_precision > 0.9) is daily
    assert (figures.average_precision < 5 * figures.base_rate) is not daily


def test_incidents_that_follow_the_clock_are_found_and_excluded(tmp_path: Path) -> None:
    found = examples(tmp_path, daily=True)
    test = found.evaluation_split("test")
    assert following_clock(test, STEP / 10**9).all()
    risks = assess_clock(found, AlertSettings())[1]
    rest = without_clock(test, {"clock_only": risks}, {"clock_only": AlertPolicy(0.5)}, STEP / 10**9)
    assert rest is not None
    assert rest.following == rest.incidents == test.observed.sum()
    assert rest.devices == ("a", "b", "c", "d")
    assert rest.figures["clock_only"].incidents == rest.figures["clock_only"].positives == 0
    assert "follow the clock of their device: without them no basis for an evaluation" in clock_incidents(
        rest, "clock_only", rest.figures["clock_only"]
    )


def test_nothing_is_excluded_if_nothing_follows_the_clock(tmp_path: Path) -> None:
    test = examples(tmp_path, daily=False).evaluation_split("test")
    assert without_clock(test, {}, {}, STEP / 10**9) is None


def test_alerts_around_excluded_incidents_are_neither_true_nor_false() -> None:
    whole = make_split()
    chosen = np.arange(len(whole.incidents)) % 2 == 0
    rest = whole.without(chosen)
    risks = np.where(np.isfinite(risks_of(whole.labels)), (whole.labels == 1) * 0.9, np.nan)
    thresholds = np.array([0.5])
    before, after = (outcomes(some, risks, AlertPolicy(0.5), thresholds) for some in (whole, rest))
    assert before.false.sum() == after.false.sum() == 0
    assert len(rest.incidents) == (~chosen).sum()
    assert after.lead[0].tolist() == before.lead[0][~chosen].tolist()
    assert (rest.labels[whole.labels == 1] == -1).any()
    assert rest.device_days.sum() < whole.device_days.sum()


def test_a_model_that_ranks_no_better_than_the_clock_is_reported(tmp_path: Path) -> None:
    evaluated, _ = assess_clock(examples(tmp_path, daily=True), AlertSettings())
    figures = replace(evaluated.evaluation.figures, average_precision=0.3)
    worse = replace(evaluated, evaluation=replace(evaluated.evaluation, figures=figures))
    assert "predicts as well" in no_better_than_clock({"clock_only": evaluated, "xgboost": worse}, "xgboost")
    assert no_better_than_clock({"clock_only": worse, "xgboost": evaluated}, "xgboost") == ""
    assert no_better_than_clock({"xgboost": evaluated}, "xgboost") == ""
