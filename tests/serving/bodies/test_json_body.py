import json

import numpy as np
import pytest

from netops.serving.decode.json import JsonReader
from netops.serving.engine.samples import BodyError
from tests.serving.models import METRICS
from tests.serving.samples import sample

READER = JsonReader(METRICS, batch=100, name_length=16)


def test_one_sample_and_a_list_of_one_differ_only_in_the_form_of_the_answer():
    one, many = READER.read(json.dumps(sample("a", 0)).encode()), READER.read(json.dumps([sample("a", 0)]).encode())
    assert (one.single, many.single) == (True, False)
    np.testing.assert_array_equal(one.values, many.values)
    assert one.devices == many.devices == ["a"]


def test_reads_parsed_bodies_and_lines_alike():
    samples = [sample("a", 0), sample("b", 1, latency=None)]
    text = READER.read(json.dumps(samples).encode())
    lines = READER.read_lines(b"\n".join(json.dumps(s).encode() for s in samples) + b"\n\n")
    parsed = READER.read(samples)
    for other in (lines, parsed):
        np.testing.assert_array_equal(text.values, other.values)
        np.testing.assert_array_equal(text.timestamps, other.timestamps)


@pytest.mark.parametrize(
    "item",
    [
        {"time": "2026-02-01T00:00:00Z", "host": "1", "latency": 1},
        {"ts": 1769904000, "node": 1, "latency": 1},
        {"@timestamp": "2026-02-01T00:00:00Z", "hostname": 1, "latency": 1},
        {"timestamp": "2026-02-01T00:00:00Z", "device": 1, "latency": 1},
        {"timestamp": "2026-02-01T00:00:00Z", "device": "1", "host": "other", "ts": 5, "latency": 1},
    ],
)
def test_samples_may_use_the_column_names_of_files(item):
    text = json.dumps(item).encode()
    for found in (
        READER.read(text),
        READER.read(b"[" + text + b"]"),
        READER.read(item),
        READER.read_lines(text),
    ):
        assert not found.errors
        assert found.devices == ["1"]
        assert found.timestamps.tolist() == [1769904000 * 10**9]


def test_names_that_mean_other_things_too_name_no_device():
    for name in ("ip", "source", "target", "customer_id"):
        assert READER.read({"timestamp": 1769904000, name: "a", "latency": 1}).errors
    assert READER.read({"timestamp": 1769904000, "device": True, "latency": 1}).errors


def test_a_malformed_sample_costs_no_other_its_answer():
    bad = [
        {"device": 5},
        {"timestamp": "x", "device": "b", "latency": 1},
        {"timestamp": 1, "device": "", "latency": 1},
        {"timestamp": 1, "device": "n" * 17, "latency": 1},
        {"timestamp": 1, "device": "b", "latency": "1"},
        {"timestamp": 1, "device": "b", "other": 1},
        {"timestamp": True, "device": "b", "latency": 1},
        {"timestamp": 1 << 70, "device": "b", "latency": 1},
        [1],
        None,
        7,
    ]
    samples = READER.read(json.dumps([sample("a", 0), *bad, sample("a", 1)]).encode())
    assert sorted(samples.errors) == list(range(1, len(bad) + 1))
    assert sorted(samples.raw) == sorted(samples.errors)
    assert samples.devices[0] == samples.devices[-1] == "a"
    assert not np.isnan(samples.values[[0, -1]]).any()


def test_missing_null_nan_and_infinite_metrics_are_missing():
    first = b'{"timestamp":1,"device":"a","latency":null}'
    second = b'{"timestamp":1,"device":"a","latency":NaN,"throughput":-Infinity}'
    samples = READER.read(b"[" + first + b"," + second + b"]")
    assert samples.errors == {}
    assert np.isnan(samples.values).all()


def test_names_of_locations_are_unchanged():
    samples = READER.read([sample("a", 0, company="c", data_center="d"), sample("b", 0)])
    assert samples.companies == ["c", None]
    assert samples.data_centers == ["d", None]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[",
        b"{",
        b"null",
        b"5",
        b'"x"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'[{"a":' * 9_000,
        b"[1,]",
        b"NaN",
    ],
)
def test_a_body_that_is_no_json_is_one_rejected_sample(text):
    samples = READER.read(text)
    assert len(samples) == len(samples.errors) >= 1


@pytest.mark.parametrize("line", [b'["\xed\x20"]', b'{"device":"\xff"}', b"\xff\n\xfe", b'{"a":1}\n\xed'])
def test_lines_that_are_no_text_are_rejected_one_by_one(line):
    samples = READER.read_lines(line)
    assert len(samples) == len(samples.errors) == line.count(b"\n") + 1


def test_an_empty_list_has_no_samples():
    assert len(READER.read(b"[]")) == 0
    assert len(READER.read_lines(b"")) == 0


def test_a_list_that_is_too_long_is_refused():
    with pytest.raises(BodyError, match="101 samples"):
        READER.read(json.dumps([sample("a", n) for n in range(101)]).encode())


def test_metrics_may_have_any_name():
    reader = JsonReader(("if/In Octets.1", "class", "m0"), 10, 10)
    samples = reader.read({"timestamp": 1, "device": "a", "if/In Octets.1": 1, "class": 2, "m0": 3})
    assert samples.values.tolist() == [[1.0, 2.0, 3.0]]


ODD = ['cpu{instance="r1"}', "\\\\HOST\\Processor(_Total)\\% Time", "tab\there", "plain"]


@pytest.mark.parametrize("form", ["one", "list", "lines", "parsed"])
def test_quotes_and_backslashes_in_names_reach_the_model(form):
    reader = JsonReader(ODD, batch=10, name_length=16)
    found = {"timestamp": "2026-01-05T00:00:00Z", "device": "a", **dict(zip(ODD, range(4), strict=True))}
    text = json.dumps(found).encode()
    samples = {
        "one": lambda: reader.read(text),
        "list": lambda: reader.read(b"[" + text + b"]"),
        "lines": lambda: reader.read_lines(text + b"\n"),
        "parsed": lambda: reader.read([found]),
    }[form]()
    np.testing.assert_array_equal(samples.values, [[0, 1, 2, 3]])
    assert not samples.errors
