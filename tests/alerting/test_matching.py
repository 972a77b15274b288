"""Alerts against incidents, by the words."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.alerting.alerts import Alerts
from netops.alerting.matching import FALSE, MISSED, NEITHER, TRUE, healthy_days, match
from netops.alerting.sequences import UNKNOWN, Incidents, Sequences
from netops.config.durations import DAY, HOUR
from netops.errors import NetopsError
from netops.telemetry.dataset import TIME_TYPE


def alerts_at(*opened, device=0):
    opened = np.array(opened, dtype=np.int64)
    nothing = np.zeros(len(opened))
    device = np.full(len(opened), device, dtype=np.int64)
    return Alerts(device, opened, opened + 1, nothing, opened, np.zeros(len(opened), dtype=bool))


@pytest.mark.parametrize(
    ("opened", "kind"),
    [(79, FALSE), (80, TRUE), (89, TRUE), (99, TRUE), (100, NEITHER), (109, NEITHER), (110, FALSE), (500, FALSE)],
)
def test_an_alert_is_true_from_the_precursor_or_the_horizon_on(opened, kind):
    incidents = Incidents.of(1, [0], [100], [110], [80])
    found = match(alerts_at(opened), incidents, horizon=10)
    assert found.kind.tolist() == [kind]
    assert found.lead.tolist() == [100 - opened if kind == TRUE else MISSED]
    assert match(alerts_at(opened, device=1), Incidents.of(2, [0], [100], [110]), 10).kind.tolist() == [FALSE]


def test_a_late_precursor_leaves_the_horizon_as_it_is():
    incidents = Incidents.of(1, [0], [100], [110], [97])
    assert match(alerts_at(91), incidents, horizon=10).kind.tolist() == [TRUE]


def test_the_first_true_alert_gives_the_lead():
    found = match(alerts_at(92, 97), Incidents.of(1, [0], [100], [110]), 10)
    assert (found.kind.tolist(), found.incident.tolist(), found.lead.tolist()) == ([TRUE, TRUE], [0, 0], [8])


@given(st.lists(st.integers(0, 60), max_size=8), st.lists(st.integers(1, 12), max_size=6), st.integers(1, 15))
@settings(max_examples=200, deadline=None)
def test_matching_follows_the_specification(opened, spans, horizon):
    edges = np.cumsum(spans)
    start, end = edges[: len(edges) // 2 * 2 : 2], edges[1 : len(edges) // 2 * 2 : 2]
    found = match(alerts_at(*sorted(opened)), Incidents.of(1, np.zeros(len(start)), start, end), horizon)
    pairs = list(zip(start, end, strict=True))
    for at, kind in zip(sorted(opened), found.kind, strict=True):
        inside = any(first <= at < last for first, last in pairs)
        warned = any(first - horizon <= at < first for first, _ in pairs)
        assert kind == (NEITHER if inside else TRUE if warned else FALSE)
    for (first, _), lead in zip(pairs, found.lead, strict=True):
        outside = [at for at in opened if not any(a <= at < b for a, b in pairs)]
        assert lead == max((first - at for at in outside if first - horizon <= at < first), default=MISSED)


def test_device_days_leave_out_incidents_and_long_gaps():
    times = np.array([0, 6, 12, 18, 24, 60, 66, 0, 24], dtype=np.int64) * HOUR
    sequences = Sequences(("a", "empty", "b"), np.array([0, 7, 7, 9]), times)
    failed = np.zeros(9, dtype=bool)
    failed[2] = True
    days = healthy_days(sequences, failed, max_gap=24 * HOUR)
    assert (days * 24).tolist() == [0, 6, 0, 0, 6, 0, 6, 0, 24]
    assert DAY == 24 * HOUR


def test_incidents_have_their_samples_and_whether_they_are_predictable():
    sequences = Sequences(("a", "b"), np.array([0, 6, 9]), np.array([0, 1, 2, 3, 4, 5, 4, 5, 6]))
    incidents = Incidents.of(2, [1, 0, 0], [4, 3, 0], [5, 4, 1])
    assert incidents.inside(sequences).tolist() == [True, False, False, True, False, False, True, False, False]
    assert incidents.observed(sequences, 2).tolist() == [False, True, False]


def test_incidents_come_from_the_table_of_a_dataset():
    times = pa.array([50, 10], TIME_TYPE)
    table = pa.table({"device": ["b", "a"], "start": times, "end": pa.array([60, 20], TIME_TYPE)})
    incidents = Incidents.from_table(table, ["a", "b"])
    assert (incidents.device.tolist(), incidents.start.tolist()) == ([0, 1], [10, 50])
    assert incidents.precursor_start.tolist() == [UNKNOWN, UNKNOWN]
    more = table.append_column("precursor_start", pa.array([45, None], TIME_TYPE))
    more = more.append_column("scenario", pa.array(["cascade", None]))
    known = Incidents.from_table(more, ["a", "b"])
    assert (known.warned_from(2).tolist(), known.scenario) == ([8, 45], ("", "cascade"))
    with pytest.raises(NetopsError, match="'b'"):
        Incidents.from_table(table, ["a"])


def test_device_indices_do_not_change_when_rows_are_selected():
    sequences = Sequences(("a", "b"), np.array([0, 2, 4]), np.array([1, 2, 3, 4]))
    some = sequences.where(np.array([False, False, True, False]))
    assert (some.offsets.tolist(), some.timestamps.tolist(), len(some)) == ([0, 0, 1], [3], 1)
    assert sequences.device_of_row.tolist() == [0, 0, 1, 1]
