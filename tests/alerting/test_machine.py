"""The alert machine: against an oracle written from its words, and streaming against batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.alerting import machine
from netops.alerting.alerts import open_alerts
from netops.alerting.policy import AlertPolicy
from netops.alerting.tracker import CLOSED, EXPIRED, OPENED, RENEWED, AlertTracker
from netops.errors import NetopsError, UsageError

NAN = float("nan")
risks_of_device = st.lists(st.sampled_from([0.0, 0.3, 0.45, 0.5, 0.9, NAN]), max_size=30)
gaps = st.lists(st.integers(1, 4), min_size=30, max_size=30)
failures = st.lists(st.booleans(), min_size=30, max_size=30)
policies = st.builds(
    AlertPolicy,
    threshold=st.just(0.5),
    for_samples=st.integers(1, 3),
    cooldown=st.integers(0, 6),
    close_below=st.sampled_from([1.0, 0.8]),
    expire=st.one_of(st.none(), st.integers(1, 12)),
)


def oracle(policy, times, risks, failed):
    """A reference implementation for one device, with lists."""
    alerts, run, opened, below, known = [], [], None, None, []

    def end(still_open):
        peak_at, peak = max(known, key=lambda sample: sample[1])
        alerts.append((opened, time, still_open, peak, peak_at))

    for time, risk, bad in zip(times, risks, failed, strict=True):
        if bad:
            if opened is not None:
                end(False)
            run, opened, below, known = [], None, None, []
        elif risk != risk:
            continue
        elif opened is None:
            run = [*run, time] if risk >= policy.threshold else []
            known = [*known, (time, risk)] if run else []
            if len(run) >= policy.for_samples:
                opened, below = time, None
        else:
            run = [*run, time] if risk >= policy.threshold else []
            below = (time if below is None else below) if risk < policy.close_level else None
            if below is not None and time - below >= policy.cooldown:
                end(False)
                opened, known = None, []
            elif policy.expire is not None and time - opened >= policy.expire:
                end(False)
                opened, below = (time, None) if len(run) >= policy.for_samples else (None, None)
                known = [(time, risk)] if run else []
            else:
                known = [*known, (time, risk)]
    if opened is not None:
        end(True)
    return alerts


def sequences(devices, gap, failed):
    offsets = np.concatenate([[0], np.cumsum([len(risks) for risks in devices])]).astype(np.int64)
    times = [np.cumsum(gap[: len(risks)]) for risks in devices]
    flags = [np.array(failed[: len(risks)], dtype=bool) & (np.arange(len(risks)) % 5 == 4) for risks in devices]
    return (
        offsets,
        np.concatenate(times).astype(np.int64),
        np.concatenate([np.array(r, dtype=float) for r in devices]),
        np.concatenate(flags),
    )


@given(st.lists(risks_of_device, min_size=1, max_size=4), gaps, failures, policies)
@settings(max_examples=200, deadline=None)
def test_batches_follow_the_specification(devices, gap, failed, policy):
    offsets, times, risks, flags = sequences(devices, gap, failed)
    found = open_alerts(policy, offsets, times, risks, flags)
    expected = []
    for device in range(len(devices)):
        rows = slice(offsets[device], offsets[device + 1])
        expected += [(device, *alert) for alert in oracle(policy, times[rows], risks[rows], flags[rows])]
    columns = (found.device, found.opened, found.closed, found.still_open, found.peak, found.peak_at)
    assert list(zip(*columns, strict=True)) == expected


@given(
    st.lists(risks_of_device, min_size=1, max_size=4), gaps, failures, policies, st.integers(1, 7), st.booleans()
)
@settings(max_examples=200, deadline=None)
def test_streaming_agrees_with_batch(devices, gap, failed, policy, batch, restart):
    offsets, times, risks, flags = sequences(devices, gap, failed)
    found = open_alerts(policy, offsets, times, risks, flags)
    codes = np.repeat(np.arange(len(devices)), np.diff(offsets))
    order = np.argsort(times, kind="stable")  # devices mixed, as they come
    tracker, opened, closed = AlertTracker(policy), [], []
    for first in range(0, len(order), batch):
        rows = order[first : first + batch]
        for event in tracker.update(codes[rows], times[rows], risks[rows], flags[rows]):
            assert event["at"] == times[rows][event["row"]]
            if event["kind"] == OPENED:
                opened.append((event["device"], event["opened"]))
            if event["kind"] == RENEWED:
                opened.append((event["device"], event["at"]))
            if event["kind"] in (CLOSED, EXPIRED, RENEWED):
                closed.append((event["device"], event["opened"], event["at"], event["peak"], event["peak_at"]))
        if restart:
            saved = tracker.save()
            tracker = AlertTracker(policy)
            tracker.restore(saved)
    ended = ~found.still_open
    columns = (found.device, found.opened, found.closed, found.peak, found.peak_at)
    assert sorted(opened) == list(zip(found.device, found.opened, strict=True))
    assert sorted(closed) == list(zip(*(column[ended] for column in columns), strict=True))
    assert tracker.open().tolist() == found.device[found.still_open].tolist()


def one(risks, policy, failed=None, step=1):
    times = np.arange(len(risks), dtype=np.int64) * step
    failed = None if failed is None else np.array(failed, dtype=bool)
    return open_alerts(policy, np.array([0, len(risks)]), times, np.array(risks, dtype=float), failed)


def test_peak_counts_from_the_first_sample_at_the_threshold():
    alerts = one([0.1, 0.9, 0.6, 0.7, 0.1, 0.1, 0.1], AlertPolicy(0.5, 2, 2))
    assert (alerts.opened[0], alerts.closed[0], alerts.peak[0], alerts.peak_at[0]) == (2, 6, 0.9, 1)


@pytest.mark.parametrize("for_samples", [2, 3, 4])
def test_the_peak_is_where_the_greatest_risk_was_first(for_samples):
    alerts = one([0.6, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1], AlertPolicy(0.5, for_samples, 2))
    assert (alerts.peak[0], alerts.peak_at[0]) == (0.9, 1)


def test_the_peak_of_an_alert_that_ended_is_not_that_of_the_next():
    cooled = one([0.9, 0.9, 0.1, 0.1, 0.6, 0.7, 0.1], AlertPolicy(0.5, 2, 1))
    failed = one([0.9, 0.9, NAN, 0.6, 0.7, 0.1], AlertPolicy(0.5, 2, 9), [0, 0, 1, 0, 0, 0])
    assert (cooled.peak.tolist(), failed.peak.tolist()) == ([0.9, 0.7], [0.9, 0.7])


def test_a_risk_below_the_threshold_is_no_peak():
    alerts = one([0.48, 0.49, 0.5, 0.5, 0.1, 0.1, 0.1], AlertPolicy(0.5, 2, 2))
    assert (alerts.peak[0], alerts.peak_at[0]) == (0.5, 2)
    alerts = one([0.9, 0.48, 0.5, 0.5, 0.1, 0.1, 0.1], AlertPolicy(0.5, 2, 2))
    assert (alerts.peak[0], alerts.peak_at[0]) == (0.5, 2)


def test_a_risk_between_the_levels_keeps_an_alert_open():
    risks = [0.9, 0.9, 0.45, 0.45, 0.45, 0.45, 0.2, 0.2]
    assert one(risks, AlertPolicy(0.5, 2, 1)).closed.tolist() == [3]
    assert one(risks, AlertPolicy(0.5, 2, 1, close_below=0.8)).closed.tolist() == [7]


def spans(alerts):
    return list(zip(alerts.opened.tolist(), alerts.closed.tolist(), strict=True))


def test_an_alert_expires_and_the_next_one_opens_at_once_while_the_risk_stays_high():
    alerts = one([0.9] * 8, AlertPolicy(0.5, 2, 99, expire=3))
    assert spans(alerts) == [(1, 4), (4, 7), (7, 7)]
    assert alerts.still_open.tolist() == [False, False, True]


def test_an_expired_alert_opens_again_only_by_samples_at_the_threshold():
    risks = [0.9, 0.9, 0.45, 0.45, 0.45, 0.9, 0.6, 0.6]
    alerts = one(risks, AlertPolicy(0.5, 2, 99, close_below=0.8, expire=3))
    assert spans(alerts) == [(1, 4), (6, 7)]
    assert (alerts.peak.tolist(), alerts.peak_at.tolist()) == ([0.9, 0.9], [0, 5])


def test_the_risk_before_it_expired_is_not_the_peak_of_the_next_alert():
    alerts = one([0.9, 0.9, 0.6, 0.7, 0.6, 0.65], AlertPolicy(0.5, 2, 99, expire=2))
    assert (alerts.opened.tolist(), alerts.peak.tolist()) == ([1, 3, 5], [0.9, 0.7, 0.65])


def test_an_alert_that_cooled_down_did_not_expire():
    tracker = AlertTracker(AlertPolicy(0.5, 1, 2, expire=3))
    times, risks = np.arange(4), np.array([0.9, 0.1, 0.1, 0.1])
    kinds = tracker.update(np.zeros(4, dtype=np.int64), times, risks)["kind"].tolist()
    assert kinds == [OPENED, CLOSED]


@pytest.mark.parametrize(
    ("risks", "kind", "below_since"),
    [
        ([0.9, 0.1, 0.1, 0.1], EXPIRED, 1),
        ([0.9, 0.1, 0.9, 0.1], EXPIRED, 3),
        ([0.9, 0.1, 0.1, 0.9], RENEWED, 3),
    ],
)
def test_an_expired_alert_has_the_time_since_which_the_risk_is_below(risks, kind, below_since):
    tracker = AlertTracker(AlertPolicy(0.5, 1, 9, expire=3))
    event = tracker.update(np.zeros(4, dtype=np.int64), np.arange(4), np.array(risks))[-1]
    assert (event["kind"], event["at"], event["below_since"]) == (kind, 3, below_since)


def test_more_alerts_than_rows_leave_room_for_do_not_overrun():
    alerts = one([0.9] * 100, AlertPolicy(0.5, 1, 1, expire=1))
    assert alerts.opened.tolist() == list(range(100))


def test_an_alert_ends_where_the_incident_starts():
    alerts = one([0.9, 0.9, 0.9, NAN, NAN, 0.9, 0.1], AlertPolicy(0.5, 2, 5), [0, 0, 0, 1, 1, 0, 0])
    assert list(zip(alerts.opened, alerts.closed, strict=True)) == [(1, 3)]


def test_samples_without_a_risk_break_no_run():
    assert one([0.9, NAN, 0.9], AlertPolicy(0.5, 2, 5)).opened.tolist() == [2]


def test_a_sample_that_is_not_newer_changes_nothing():
    tracker = AlertTracker(AlertPolicy(0.5, 2, 5))
    devices = np.zeros(3, dtype=np.int64)
    assert len(tracker.update(devices, np.array([10, 10, 9]), np.full(3, 0.9))) == 0
    assert len(tracker.update(devices[:1], np.array([11]), np.array([0.9]))) == 1


def test_a_forgotten_device_is_reset():
    tracker = AlertTracker(AlertPolicy(0.5, 1, 5))
    tracker.update(np.array([0, 7]), np.array([1, 1]), np.array([0.9, 0.8]))
    assert tracker.is_open(np.array([0, 1, 7, 99])).tolist() == [True, False, True, False]
    assert tracker.peak(7) == (0.8, 1)
    tracker.forget(7)
    assert tracker.open().tolist() == [0]


def test_a_new_threshold_leaves_open_alerts_to_cool_down():
    tracker, device = AlertTracker(AlertPolicy(0.5, 1, 2)), np.array([0])
    tracker.update(device, np.array([1]), np.array([0.6]))
    tracker.policy = AlertPolicy(0.7, 1, 2)
    kinds = [tracker.update(device, np.array([time]), np.array([0.6]))["kind"].tolist() for time in (2, 3, 4)]
    assert kinds == [[], [], [CLOSED]]


def test_a_damaged_state_is_refused():
    with pytest.raises(NetopsError, match="damaged"):
        AlertTracker(AlertPolicy(0.5)).restore(b"12345")


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": NAN},
        {"for_samples": 0},
        {"cooldown": -1},
        {"expire": 0},
        {"close_below": 0.0},
        {"close_below": 1.5},
    ],
)
def test_impossible_policies_are_refused(wrong):
    with pytest.raises(UsageError):
        AlertPolicy(**{"threshold": 0.5} | wrong)


def test_what_happens_has_a_code_of_its_own():
    codes = (machine.NOTHING, OPENED, CLOSED, EXPIRED, RENEWED)
    assert machine.NOTHING == 0
    assert len(set(codes)) == len(codes)
