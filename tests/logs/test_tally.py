"""Counts of messages: the definition, and that they are the same for stored samples and for those that arrive."""

import json

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.errors import NetopsError
from netops.logs.columns import Carried, LogColumns, template_column
from netops.logs.messages import Messages
from netops.logs.selection import Device, in_training, select, select_without_incidents
from netops.logs.tally import Tally
from netops.logs.templates.miner import Templates

SECOND = 10**9
Arrays = tuple[npt.NDArray[np.int64], npt.NDArray[np.int8], npt.NDArray[np.int32]]


GROUP = (0, 2)


def columns(*selected: int, reach: int = 10 * SECOND, delay: int = 0, rare: int = 1) -> LogColumns:
    templates = Templates()
    templates.learn(["a", "b c", "b c", "d e f", "d e f", "d e f"])
    return LogColumns.combine(templates, selected, Carried(), reach, delay, rare)


def with_group(*selected: int, reach: int, delay: int = 0, rare: int = 1) -> LogColumns:
    found = columns(*selected, reach=reach, delay=delay, rare=rare)
    return LogColumns.combine(found.templates, selected, Carried(), reach, delay, rare, precursors=GROUP)


def arrays(*messages: tuple[int, int, int]) -> Arrays:
    times, severities, templates = zip(*messages, strict=True) if messages else ((), (), ())
    return np.array(times, np.int64), np.array(severities, np.int8), np.array(templates, np.int32)


def test_a_message_counts_for_the_next_sample() -> None:
    tally = Tally(columns(1, 2))
    tally.add(*arrays((1, 3, 1), (10, 4, 1), (11, 6, 2), (12, -1, -1), (21, 2, 0)))
    assert tally.take(np.array([10, 20, 30])).tolist() == [
        # messages, errors, warnings, rare, distinct, template 1, template 2, since error
        [2, 1, 1, 0, 1, 2, 0, 9 / SECOND],
        [2, 0, 0, 1, 1, 0, 1, 19 / SECOND],
        [1, 1, 0, 0, 1, 0, 0, 9 / SECOND],
    ]


def test_a_message_long_before_a_sample_is_not_counted() -> None:
    tally = Tally(columns(reach=5))
    tally.add(*arrays((1, 3, 0), (5, 6, 0), (100, 6, 0)))
    assert tally.take(np.array([10, 200]))[:, 0].tolist() == [1, 0]


def test_without_an_error_the_time_since_is_unknown() -> None:
    assert np.isnan(Tally(columns()).take(np.array([5]))[0, -1])


def test_messages_after_their_sample_are_late() -> None:
    tally = Tally(columns())
    tally.take(np.array([10]))
    tally.add(*arrays((10, 3, 0), (11, 3, 0)))
    assert tally.take(np.array([20]))[0, 0] == 1
    assert tally.late == 1


MESSAGES = st.lists(st.tuples(st.integers(0, 200), st.integers(-1, 7), st.integers(-1, 2)), max_size=40)
SAMPLES = st.lists(st.integers(0, 200), min_size=1, max_size=20, unique=True).map(sorted)


@settings(max_examples=400)
@given(MESSAGES, SAMPLES, st.integers(1, 100), st.integers(0, 30), st.randoms())
def test_stored_samples_and_arriving_ones_have_the_same_counts(messages, samples, reach, delay, order) -> None:  # type: ignore[no-untyped-def]
    messages.sort()
    whole = Tally(with_group(0, 2, reach=reach, delay=delay))
    whole.add(*arrays(*messages))
    wanted = whole.take(np.array(samples))
    stream, found, left = Tally(with_group(0, 2, reach=reach, delay=delay)), [], list(messages)
    for time in samples:
        arrived = time - order.randint(0, delay)
        due = [message for message in left if message[0] <= arrived]
        left = left[len(due) :]
        order.shuffle(due)
        for message in due:
            stream.add(*arrays(message))
        found.append(stream.take(np.array([time]))[0])
    np.testing.assert_array_equal(np.array(found), wanted)


@settings(max_examples=200)
@given(MESSAGES, SAMPLES, st.integers(1, 100), st.integers(0, 30), st.integers(1, 4))
def test_counts_follow_the_definition(messages, samples, reach, delay, rare) -> None:  # type: ignore[no-untyped-def]
    messages.sort()
    tally = Tally(with_group(1, reach=reach, delay=delay, rare=rare))
    tally.add(*arrays(*messages))
    messages = [(time + delay, severity, template) for time, severity, template in messages]
    found, before = tally.take(np.array(samples)), -1
    for row, time in zip(found, samples, strict=True):
        due = [m for m in messages if before < m[0] <= time and time - m[0] <= reach]
        assert row[0] == len(due)
        assert row[1] == sum(0 <= m[1] <= 3 for m in due)
        assert row[2] == sum(m[1] == 4 for m in due)
        # Template n is that of n + 1 messages.
        assert row[3] == sum(m[2] + 1 < rare for m in due)
        assert row[4] == len({m[2] for m in due} - {-1})
        errors = [m[0] for m in messages if 0 <= m[1] <= 3 and m[0] <= time]
        assert np.isnan(row[7]) if not errors else row[7] == (time - errors[-1]) / SECOND
        assert row[6] == sum(m[2] in GROUP for m in due)
        assert row[5] == sum(m[2] == 1 for m in due)
        before = time


def test_columns_are_stored() -> None:
    found = columns(0, 2)
    stored = json.loads(json.dumps(found.to_dict()))
    again = LogColumns.from_dict(stored)
    assert again.names == found.names
    assert again.names[-3:-1] == tuple(template_column(found.templates.key(n)[:6]) for n in (0, 2))
    assert list(again.texts().values()) == ["a", "d e f"]
    assert again.keys() == found.keys()
    assert again.templates.find(["b c", "x y z w"]).tolist() == [1, -1]
    with pytest.raises(NetopsError, match="does not exist"):
        LogColumns.from_dict({**stored, "selected": [9]})


def test_templates_before_incidents_are_selected() -> None:
    draw, hour = np.random.default_rng(3), 3600
    starts = np.arange(5, 95, 10) * hour
    chatter = [(int(time), 6, int(draw.integers(0, 3))) for time in draw.integers(0, 100 * hour, 2_000)]
    warnings = [(int(start) - 600, 4, 3) for start in starts]
    rare = [(int(starts[0]) - 5, 4, 4)]
    times, severities, templates = arrays(*sorted([*chatter, *warnings, *rare]))
    messages = Messages(["r1"], np.zeros(len(times), np.int32), times, severities, templates)
    training = {"r1": Device(0, 100 * hour, starts, starts + 60)}
    assert 3 in select(messages, training, hour, 5, 16)
    assert 4 not in select(messages, training, hour, 5, 16)
    assert select(messages, training, hour, 5, 1) == (3,)
    half = {"r1": Device(0, 15 * hour, starts[:1], starts[:1] + 60)}
    assert select(messages, half, hour, 5, 16) == ()


def test_templates_are_selected_without_incidents() -> None:
    hour = 3600
    routine = [(time * hour, 6, 0) for time in range(100)]
    frequent = [(time * hour + 5, 6, 1) for time in range(0, 100, 4)]
    warnings = [(time * hour + 9, 4, 2) for time in range(0, 100, 20)]
    late = [(time * hour, 4, 3) for time in range(101, 110)]
    times, severities, templates = arrays(*sorted([*routine, *frequent, *warnings, *late]))
    messages = Messages(["r1"], np.zeros(len(times), np.int32), times, severities, templates)
    chosen = []
    for starts in (np.zeros(0, np.int64), np.arange(5, 95, 10) * hour):
        training = {"r1": Device(0, 100 * hour, starts, starts + 60)}
        chosen.append([select_without_incidents(messages, training, hour, 4, limit) for limit in (16, 1)])
    assert chosen == [[(1, 2), (2,)]] * 2


def test_messages_of_the_training_split() -> None:
    training = {"a": Device(0, 10, np.zeros(0, np.int64), np.zeros(0, np.int64))}
    found = in_training(training, ["a", "b"], np.array([0, 0, 1], np.int32), np.array([10, 11, 5]))
    assert found.tolist() == [True, False, False]
