"""Recorded incidents and verdicts, merged into telemetry."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.errors import NetopsError
from netops.feedback.merging import merge_feedback
from netops.feedback.records import Feedback, Incident, Verdict, decode_feedback, read_feedback
from netops.telemetry.dataset import DEVICE_TYPE, TIME_TYPE, Dataset, Meta, finish, rows_of, write_part
from netops.telemetry.incidents import incidents_of

SECOND = 10**9
START = 1_700_000_000 * SECOND
STEP = 10 * SECOND
ROWS = 60
SCHEMA = pa.schema(
    [
        ("device", pa.string()),
        ("start", TIME_TYPE),
        ("end", TIME_TYPE),
        ("scenario", pa.string()),
        ("precursor_start", TIME_TYPE),
    ]
)


def iso(tick: float) -> str:
    return str(np.datetime64(START + int(tick * STEP), "ns")) + "Z"


def telemetry(out: Path, errors: dict[str, list[tuple[int, int]]]) -> Dataset:
    """Two parts of devices that fail from tick to tick."""
    out.mkdir(parents=True, exist_ok=True)
    times = START + np.arange(ROWS) * STEP
    incidents = []
    for number, device in enumerate(errors):
        flags = np.zeros(ROWS, bool)
        for first, last in errors[device]:
            flags[first:last] = True
        for start, end in zip(*incidents_of(times, flags), strict=True):
            incidents.append((device, int(start), int(end), "fan", int(start) - STEP))
        table = pa.table(
            {
                "timestamp": pa.array(times, pa.int64()).cast(TIME_TYPE),
                "device": pa.array([device] * ROWS).cast(DEVICE_TYPE),
                "company": pa.array(["c"] * ROWS).cast(DEVICE_TYPE),
                "cpu": np.linspace(0, 1, ROWS),
                "is_error": flags,
            }
        )
        write_part(out, number, table)
    columns = [
        pa.array([row[k] for row in incidents], pa.int64() if k in (1, 2, 4) else pa.string()) for k in range(5)
    ]
    table = pa.table([c.cast(f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
    meta = Meta(("cpu",), ("company",), ROWS * len(errors), len(errors), len(incidents), 10.0, "test")
    return finish(out, meta, table)


def recorded(device: str, start: float, end: float | None, source: str = "log", **more: str) -> Incident:
    stop = None if end is None else iso(end)
    return Incident(source=source, id=f"{device}{start}{source}", device=device, start=iso(start), end=stop, **more)


def verdict(device: str, opened: float, given: str = "confirmed", **more: str) -> Verdict:
    return Verdict(alert=f"{device}{opened}", device=device, opened=iso(opened), verdict=given, **more)


def flags_of(dataset: Dataset) -> dict[str, np.ndarray]:
    found = {}
    for table in dataset.tables():
        (device,) = rows_of(table).devices
        found[device] = table.column("is_error").to_numpy()
    return found


def merged_incidents(dataset: Dataset) -> list[tuple]:
    rows = dataset.incidents().to_pylist()
    tick = lambda moment: (moment.value - START) / STEP  # noqa: E731
    return [
        (row["device"], tick(row["start"]), tick(row["end"]), row["source"], row["scenario"] or "") for row in rows
    ]


def test_recorded_incidents_become_incidents_with_their_sources(tmp_path: Path) -> None:
    dataset = telemetry(tmp_path, {"a": [(5, 8)], "b": [(20, 25)], "c": []})
    feedback = Feedback(
        network="n",
        incidents=[
            recorded("a", 30, 32, "tickets", scenario="power"),
            recorded("b", 23, 28, "tickets"),
            recorded("b", 24, 27, "pager"),
            recorded("c", 40.2, 40.8, "pager"),
        ],
    )
    before = [path.read_bytes() for path in dataset.parts]
    merged = merge_feedback(dataset, feedback)
    assert merged_incidents(merged) == [
        ("a", 5, 8, "telemetry", "fan"),
        ("a", 30, 32, "tickets", "power"),
        ("b", 20, 28, "telemetry, tickets, pager", "fan"),
        ("c", 41, 42, "pager", ""),
    ]
    assert merged.meta.incidents == 4
    assert merged.meta.details["feedback"]["counts"] == {"incidents": 4}
    flags = flags_of(merged)
    assert np.flatnonzero(flags["a"]).tolist() == [5, 6, 7, 30, 31]
    assert np.flatnonzero(flags["b"]).tolist() == list(range(20, 28))
    # Nothing but the ground truth has changed, and once more changes nothing.
    assert (
        pq.read_table(merged.parts[0])
        .drop_columns("is_error")
        .equals(pq.read_table(pa.BufferReader(before[0])).drop_columns("is_error"))
    )
    after = [path.read_bytes() for path in merged.parts]
    again = merge_feedback(merged, feedback)
    assert (merged_incidents(again), [path.read_bytes() for path in again.parts]) == (
        merged_incidents(merged),
        after,
    )


def test_an_ongoing_incident_extends_to_the_end(tmp_path: Path) -> None:
    merged = merge_feedback(
        telemetry(tmp_path, {"a": []}), Feedback(network="n", incidents=[recorded("a", 50, None)])
    )
    assert merged_incidents(merged) == [("a", 50, ROWS, "log", "")]


def test_an_incident_while_the_device_was_silent_is_an_incident(tmp_path: Path) -> None:
    dataset = telemetry(tmp_path, {"a": [(5, 8)]})
    whole = pq.read_table(dataset.parts[0])
    write_part(tmp_path, 0, pa.concat_tables([whole.slice(0, 20), whole.slice(40)]))  # no samples from 20 to 40
    feedback = Feedback(network="n", incidents=[recorded("a", 21, 36), recorded("a", 22, 37, "pager")])
    for _ in range(2):  # and a second time
        merged = merge_feedback(Dataset.open(tmp_path), feedback)
        assert merged_incidents(merged) == [("a", 5, 8, "telemetry", "fan"), ("a", 21, 37, "log, pager", "")]
    assert np.flatnonzero(flags_of(merged)["a"]).tolist() == [5, 6, 7]
    other = Feedback(network="n", incidents=[recorded("a", 15, 17, "late")])
    assert merged_incidents(merge_feedback(merged, other))[1:] == [
        ("a", 15, 17, "late", ""),
        ("a", 21, 37, "log, pager", ""),
    ]


def test_what_is_of_elsewhere_is_set_aside_and_counted(tmp_path: Path) -> None:
    feedback = Feedback(
        network="n",
        incidents=[recorded("a", -9, -5), recorded("a", ROWS + 1, ROWS + 2), recorded("x", 3, 4)],
        verdicts=[verdict("a", -3), verdict("y", 3), verdict("a", 3, "dismissed")],
    )
    merged = merge_feedback(telemetry(tmp_path, {"a": [(5, 8)]}), feedback)
    assert merged_incidents(merged) == [("a", 5, 8, "telemetry", "fan")]
    assert merged.meta.details["feedback"] == {
        "counts": {
            "incidents outside of the telemetry": 2,
            "incidents of devices without telemetry": 1,
            "verdicts": 1,
            "verdicts outside of the telemetry": 1,
            "verdicts on devices without telemetry": 1,
        },
        "devices_without_telemetry": ["x"],
    }
    (row,) = merged.verdicts().to_pylist()
    assert (row["device"], row["verdict"], row["source"], row["ended"]) == ("a", "dismissed", "operator", None)
    assert row["opened"].value == START + 3 * STEP


def test_half_merged_it_does_not_count_as_finished(tmp_path: Path) -> None:
    dataset = telemetry(tmp_path, {"a": []})
    bad = Feedback(network="n", verdicts=[Verdict(alert="1", device="a", opened="soon", verdict="confirmed")])
    with pytest.raises(NetopsError, match="feedback: 'soon' is"):
        merge_feedback(dataset, bad)
    with pytest.raises(NetopsError, match="not a finished dataset"):
        Dataset.open(tmp_path)


spans = st.lists(st.tuples(st.integers(-5, ROWS + 5), st.integers(1, 12)), max_size=6)


@settings(max_examples=40, deadline=None)
@given(own=spans, logs=st.lists(spans, min_size=1, max_size=3))
def test_merged_is_the_union_in_any_order(tmp_path_factory, own, logs) -> None:
    clipped = [(max(0, first), min(ROWS, first + length)) for first, length in own]
    errors = {"a": [(first, last) for first, last in clipped if first < last]}
    incidents = [
        recorded("a", first, first + length, f"log{number}")
        for number, log in enumerate(logs)
        for first, length in log
    ]
    expected = np.zeros(ROWS, bool)
    for first, last in errors["a"]:
        expected[first:last] = True
    for log in logs:
        for first, length in log:
            expected[max(0, first) : max(0, first + length)] = True
    results = []
    for order in (incidents, incidents[::-1]):
        dataset = telemetry(tmp_path_factory.mktemp("t"), errors)
        merged = merge_feedback(dataset, Feedback(network="n", incidents=order))
        assert (flags_of(merged)["a"] == expected).all()
        rows = merged.incidents().to_pylist()
        starts, ends = incidents_of(START + np.arange(ROWS) * STEP, expected)
        assert [(row["start"].value, row["end"].value) for row in rows] == list(zip(starts, ends, strict=True))
        for row in rows:
            low, high = ((row[key].value - START) // STEP for key in ("start", "end"))
            names = {"telemetry"} if any(a < high and b > low for a, b in errors["a"]) else set()
            for number, log in enumerate(logs):
                names |= {f"log{number}"} if any(a < high and a + n > low for a, n in log) else set()
            assert set(row["source"].split(", ")) == names
        results.append([set(row["source"].split(", ")) for row in rows])
    assert results[0] == results[1]


def test_exported_feedback_is_read_back_and_anything_else_refused(tmp_path: Path) -> None:
    path = tmp_path / "said.json"
    path.write_text('{"network": "n", "incidents": [], "verdicts": []}')
    assert read_feedback(path) == Feedback(network="n")
    with pytest.raises(NetopsError, match="cannot be read"):
        read_feedback(tmp_path / "nowhere")
    for text in (b"{", b"[]", b'{"network": "n", "verdicts": [{"alert": "1"}]}'):
        with pytest.raises(NetopsError, match="not the output of"):
            decode_feedback(text, "x")
