"""Files and folders of logs: detection, several lines, devices, what is set aside, damage."""

import gzip
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.errors import NetopsError
from netops.logs.devices import DeviceNames
from netops.logs.formats.detection import detect
from netops.logs.lines import read_lines
from netops.logs.reading import LogReader
from netops.logs.settings import LogSettings
from netops.telemetry.times.instants import iso

LINES = [
    "<187>Nov 28 03:17:18 leaf1 Ebra: %LINK-3-UPDOWN: Interface Ethernet1, changed state to down",
    "<190>Nov 28 03:17:19 leaf2.dc1.example sshd[7]: session opened",
    "<189>Nov 28 03:17:20 LEAF1 Stp: topology change",
]
Row = tuple[str, str, int, str]


def write(path: Path, lines: Sequence[str], end: str = "\n") -> Path:
    path.write_bytes((end.join(lines) + end).encode())
    return path


def reader(*paths: Path, devices: Sequence[str] | None = None, **options: object) -> LogReader:
    return LogReader(paths, LogSettings(**{"year": 2026, **options}), DeviceNames(devices))  # type: ignore[arg-type]


def rows(found: LogReader) -> list[Row]:
    return [
        (iso(time), batch.names[device], severity, message)
        for batch in found.batches()
        for time, device, severity, message in zip(
            batch.times.tolist(), batch.devices.tolist(), batch.severities.tolist(), batch.messages, strict=True
        )
    ]


def test_a_file_of_syslog(tmp_path: Path) -> None:
    found = reader(write(tmp_path / "messages", LINES), devices=["leaf1", "leaf2"])
    assert rows(found) == [
        (
            *("2026-11-28T03:17:18Z", "leaf1", 3),
            "%LINK-3-UPDOWN: Interface Ethernet1, changed state to down",
        ),
        ("2026-11-28T03:17:19Z", "leaf2", 6, "sshd: session opened"),
        ("2026-11-28T03:17:20Z", "leaf1", 5, "Stp: topology change"),
    ]
    assert list(found.report.lines(found.devices)) == [
        "logs: 1 file, 3 messages: rfc3164 (1 file)",
        "logs: times without a zone are UTC; year 2026 for the first line, as set",
        "logs: hosts matched without case, spaces, domain and port: leaf2.dc1.example → leaf2, LEAF1 → leaf1",
    ]


def test_hosts_without_a_device_and_with_several_are_set_aside(tmp_path: Path) -> None:
    lines = [f"<187>Nov 28 03:17:18 {host} a: b" for host in ("r1", "r1.y", "other", "R2", "r2.z")]
    found = reader(write(tmp_path / "m", lines), devices=["r1.x", "r2.a", "r2.b", "R2"])
    assert [row[1] for row in rows(found)] == ["r1.x", "r1.x", "R2"]
    assert (found.devices.unknown, found.devices.ambiguous) == ({"other": 1}, {"r2.z": 1})
    text = "\n".join(found.report.lines(found.devices))
    assert "messages set aside, of hosts that are no device of the telemetry: 1 of other" in text
    assert "messages set aside, of hosts that may be several devices of the telemetry: 1 of r2.z" in text


def test_bad_lines_are_counted_with_their_reason(tmp_path: Path) -> None:
    lines = [*LINES, "garbage", "<187>Feb 30 00:00:00 leaf1 a: b", "", "<1>Nov 28 03:17:18 leaf1 " + "x" * 200]
    found = reader(write(tmp_path / "m", lines), max_line=100)
    assert len(rows(found)) == 3
    dropped = {why: (seen.count, seen.where, seen.value[:12]) for why, seen in found.report.dropped().items()}
    assert dropped == {
        "lines set aside, not in the format rfc3164": (1, f"{tmp_path}/m: line 4", "garbage"),
        "messages set aside, their time cannot be read": (1, f"{tmp_path}/m: line 5", "Feb 30 00:00"),
        "lines set aside, longer than 100 characters": (1, f"{tmp_path}/m: line 7", "<1>Nov 28 03"),
    }
    assert "warn: logs: lines set aside, not in the format rfc3164: 1 (first: " in "\n".join(
        found.report.lines(found.devices)
    )


def test_indented_lines_continue_a_message(tmp_path: Path) -> None:
    lines = [LINES[0], "  Traceback:", "\tframe 1", "", "  frame 2", LINES[1], " " * 4]
    found = reader(write(tmp_path / "m", lines, end="\r\n"))
    assert [row[3].split("\n")[1:] for row in rows(found)] == [["  Traceback:", "\tframe 1", "  frame 2"], []]
    assert not found.report.dropped()


def test_compressed_files_and_folders(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    (folder / "deep").mkdir(parents=True)
    write(folder / "messages", LINES)
    (folder / "messages.1.gz").write_bytes(gzip.compress(("\n".join(LINES) + "\n").encode()))
    (folder / "empty.log").touch()
    (folder / ".hidden").write_text("x")
    (folder / "core").write_bytes(bytes(4_000))
    write(folder / "deep" / "more", LINES)
    found = reader(folder)
    assert len(rows(found)) == 6
    assert found.report.formats() == {"rfc3164": 1, "rfc3164, gzip": 1}
    assert set(found.report.passed_over.values()) == {
        "empty",
        "not text",
        "a folder; read it with --set logs.subfolders=true",
    }
    assert len(rows(reader(folder, subfolders=True))) == 9


def test_damage_is_reported_with_its_file(tmp_path: Path) -> None:
    packed = gzip.compress(("\n".join(LINES * 20_000)).encode())
    (tmp_path / "m.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(NetopsError, match=r"m\.gz: cannot be read"):
        rows(reader(tmp_path / "m.gz"))


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NetopsError, match="no such file"):
        rows(reader(tmp_path / "missing"))
    with pytest.raises(NetopsError, match="no log file"):
        rows(reader(tmp_path))
    with pytest.raises(NetopsError, match="not text"):
        (tmp_path / "core").write_bytes(bytes(100))
        rows(reader(tmp_path / "core"))
    with pytest.raises(NetopsError, match="no log messages: lines set aside, not in the format rfc5424"):
        rows(reader(write(tmp_path / "m", LINES), format="rfc5424"))
    with pytest.raises(NetopsError, match=r"no known log format \(first line: 'hello'\); set it with --log-format"):
        rows(reader(write(tmp_path / "n", ["hello", "world"])))


def test_invalid_bytes_are_replaced_and_encodings_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes("<187>Nov 28 03:17:18 leaf1 a: größer".encode("latin-1"))
    assert rows(reader(path))[0][3] == "a: gr\ufffd\ufffder"
    assert rows(reader(path, encoding="latin-1"))[0][3] == "a: größer"
    path.write_bytes("<187>Nov 28 03:17:18 leaf1 a: größer\n".encode("utf-16"))
    assert rows(reader(path))[0][3] == "a: größer"


def test_the_file_is_named_after_a_device_without_host(tmp_path: Path) -> None:
    lines = ["000123: *Nov 28 03:17:18.123 UTC: %LINK-3-UPDOWN: Interface Gi0/1, changed state to down"]
    assert rows(reader(write(tmp_path / "core-1.log", lines), devices=["core-1"]))[0][:3] == (
        *("2026-11-28T03:17:18Z", "core-1"),
        3,
    )


@pytest.mark.parametrize("name", ["r-1.log", "r-1.log.2", "r-1.syslog-20261128", "r-1.txt", "r-1"])
def test_the_end_of_the_name_of_a_file_is_no_part_of_the_device(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, ["2026-11-28 03:17:18 ERROR fan failed"])
    assert rows(reader(path, format="single"))[0][:3] == ("2026-11-28T03:17:18Z", "r-1", 3)


def test_the_word_after_the_time_is_a_device_if_the_telemetry_has_it(tmp_path: Path) -> None:
    lines = ["2026-11-28 03:17:18 r1 link down", "2026-11-28 03:17:19 link up again"]
    assert [row[1:] for row in rows(reader(write(tmp_path / "all.log", lines), devices=["r1"]))] == [
        ("r1", -1, "link down")
    ]
    found = rows(reader(write(tmp_path / "r2.log", lines), devices=["r2"]))
    assert [row[1:] for row in found] == [("r2", -1, "r1 link down"), ("r2", -1, "link up again")]


def test_an_ambiguous_format_is_refused() -> None:
    lines = ["2026-11-28 03:17:18 r1 link down", "2026-11-28 03:17:19 link up again"]
    with pytest.raises(NetopsError, match=r"ambiguous log format; set it with --log-format: plain \(.*; single \("):
        detect(lines, "r2.log", {"r1", "r2"}.__contains__)
    with pytest.raises(NetopsError, match="ambiguous"):
        detect([f"2026-11-28 03:17:18 word{n} and more" for n in range(10)], "x.log")


JSON = {
    "loki lines": '{"labels":{"host":"r1","level":"warn"},"line":"fan slow","timestamp":"2026-11-28T03:17:18Z"}',
    "loki push": json.dumps(
        {"streams": [{"stream": {"host": "r1", "level": "warn"}, "values": [["1795835838000000000", "fan slow"]]}]}
    ),
    "loki push with metadata": json.dumps(
        {
            "streams": [
                {"stream": {"host": "r1"}, "values": [["1795835838000000000", "fan slow", {"level": "warn"}]]}
            ]
        }
    ),
    "loki answer with metadata": json.dumps(
        {
            "stream": {"job": "syslog"},
            "values": [
                [
                    "1795835838000000000",
                    "fan slow",
                    {"structuredMetadata": {"host": "r1", "detected_level": "warn"}},
                ]
            ],
        }
    ),
    "loki answer": json.dumps(
        {
            "status": "success",
            "data": {
                "resultType": "streams",
                "result": [
                    {
                        "stream": {"hostname": "r1", "severity": "warning"},
                        "values": [["1795835838000000000", "fan slow"]],
                    }
                ],
            },
        },
        indent=1,
    ),
    "elasticsearch lines": json.dumps(
        {
            "_index": "logs",
            "_source": {
                "@timestamp": "2026-11-28T03:17:18.000+0000",
                "message": "fan slow",
                "host": {"name": "r1"},
                "log": {"level": "warning"},
            },
        }
    ),
    "elasticsearch answer": json.dumps(
        {
            "hits": {
                "hits": [
                    {
                        "_source": {
                            "@timestamp": "2026-11-28T03:17:18Z",
                            "message": "fan slow",
                            "host": "r1",
                            "level": "warn",
                        }
                    }
                ]
            }
        },
        indent=2,
    ),
    "list": json.dumps([{"time": "2026-11-28T03:17:18Z", "msg": "fan slow", "device": "r1", "level": 4}]),
}


@pytest.mark.parametrize("name", JSON)
def test_json(name: str, tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text(JSON[name])
    assert rows(reader(path, devices=["r1"])) == [("2026-11-28T03:17:18Z", "r1", 4, "fan slow")]
    assert rows(reader(path, devices=["r1"], format="json")) == [("2026-11-28T03:17:18Z", "r1", 4, "fan slow")]


def test_the_labels_with_the_host_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    labels = {"host": "collector", "router": "r1"}
    path.write_text(json.dumps({"streams": [{"stream": labels, "values": [["1795835838000000000", "x"]]}]}))
    found = rows(reader(path, devices=["r1"], host_labels=("router", "host")))
    assert found == [("2026-11-28T03:17:18Z", "r1", -1, "x")]


def test_a_whole_line_of_syslog_in_a_record_has_the_device(tmp_path: Path) -> None:
    line = "<188>Nov 28 03:17:17 r1 Fan: slow"
    path = tmp_path / "export.jsonl"
    path.write_text(
        json.dumps({"timestamp": "2026-11-28T03:17:18Z", "line": line, "labels": {"host": "collector"}})
    )
    assert rows(reader(path, devices=["r1"])) == [("2026-11-28T03:17:18Z", "r1", 4, "Fan: slow")]


def test_json_that_is_no_message_is_set_aside(tmp_path: Path) -> None:
    good = '{"time": "2026-11-28T03:17:18Z", "host": "r1", "message": "a\\n b"}'
    lines = [
        good,
        '{"time": "2026-11-28T03:17:18Z"}',
        '{"message": "a"}',
        "17",
        "{broken",
        '{"stream":{},"values":[1]}',
    ]
    found = reader(write(tmp_path / "x.jsonl", lines))
    assert rows(found) == [("2026-11-28T03:17:18Z", "r1", -1, "a\n b")]
    assert sorted(found.report.dropped()) == [
        "JSON values set aside that are not objects",
        "lines set aside, not in the format json",
        "records set aside without a message",
        "records set aside without a time",
        "values of a stream set aside that are not a time and a line",
    ]


def test_csv(tmp_path: Path) -> None:
    lines = [
        "Time;Host;Severity;Message",
        '2026-11-28 03:17:18;r1;err;"fan ""A"" failed',
        ' at once"',
        "2026-11-28 03:17:19;r1;;%LINK-3-UPDOWN: Interface Gi0/1",
        "2026-11-28 03:17:20;r1;err",
        "2026-11-28 03:17:20;r1;err;",
    ]
    found = reader(write(tmp_path / "x.csv", lines))
    assert rows(found) == [
        ("2026-11-28T03:17:18Z", "r1", 3, 'fan "A" failed\n at once'),
        ("2026-11-28T03:17:19Z", "r1", 3, "%LINK-3-UPDOWN: Interface Gi0/1"),
    ]
    assert {why: seen.where for why, seen in found.report.dropped().items()} == {
        "rows set aside with another number of columns than the header": f"{tmp_path}/x.csv: line 5",
        "rows set aside without a message": f"{tmp_path}/x.csv: line 6",
    }


class Chunks:
    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = list(chunks)

    def read(self, nbytes: int = -1, /) -> bytes:
        return self._chunks.pop(0) if self._chunks else b""


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("aä\r \0", max_size=12), max_size=8), st.lists(st.integers(1, 40), max_size=10))
def test_lines_do_not_depend_on_the_blocks(texts: list[str], cuts: list[int]) -> None:
    raw = "\n".join(texts).encode()
    chunks, at = [], 0
    for cut in [*cuts, len(raw) + 1]:
        if piece := raw[at : at + cut]:
            chunks.append(piece)
        at += cut
    found = [line for _, lines in read_lines(Chunks(chunks), "utf-8", 5) for line in lines]
    lines = [text.rstrip("\r\0") for text in texts]
    assert ["…" if len(line) > 5 else line for line in found if line] == [
        "…" if len(line) > 5 else line for line in lines if line
    ]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.log"
    path.write_bytes(raw)
    for name in ("", "rfc3164", "rfc5424", "cisco", "plain", "single", "json", "csv"):
        with suppress(NetopsError):
            rows(reader(path, format=name))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=5))
def test_any_text_after_a_header_is_one_message(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz2.log"
    texts = ["".join(text.split("\n")).encode("utf-8", "replace").decode() for text in texts]
    lines = [f"<187>Nov 28 03:17:18 r1 app: x{text}" for text in texts]
    path.write_bytes("\n".join([*lines, LINES[0], ""]).encode())
    found = rows(reader(path))
    assert [row[3] for row in found[:-1]] == [f"app: x{text}".rstrip("\r\0") for text in texts]


def test_json_that_is_nested_too_deeply_is_set_aside(tmp_path: Path) -> None:
    line = '{"time": "2026-11-28T03:17:18Z", "host": "leaf1", "message": "x"}'
    found = reader(write(tmp_path / "a.json", [line, "[" * 20_000, line]))
    assert len(rows(found)) == 2
    assert [why.count for why in found.report.dropped().values()] == [1]


@pytest.mark.parametrize("message", ['"' + "z" * 300 + '"', '"a\n' + "z" * 300 + '"', '"z\n' + "z," * 300 + '\nb"'])
def test_a_row_of_csv_that_is_too_long_does_not_take_others_with_it(tmp_path: Path, message: str) -> None:
    good = [f'2026-11-28T03:17:{second}Z,leaf1,"m {second}"' for second in range(10, 20)]
    lines = ["time,host,message", *good[:5], f"2026-11-28T03:17:18Z,leaf1,{message}", *good[5:]]
    found = reader(write(tmp_path / "a.csv", lines), max_line=100)
    assert [row[3] for row in rows(found)] == [f"m {second}" for second in range(10, 20)]
    assert found.report.dropped()["lines set aside, longer than 100 characters"].count == 1
