"""Logs of incidents as ticket and alerting systems export them."""

import gzip
import json
import time
from pathlib import Path

import pandas as pd
import pytest

from netops.errors import NetopsError
from netops.telemetry.incident_logs.log import IncidentLog
from netops.telemetry.incident_logs.read import duration_of, read_incidents
from netops.telemetry.incident_logs.settings import IncidentLogSettings
from netops.telemetry.settings import TelemetrySettings

SETTINGS = TelemetrySettings()
START, END = "2026-01-05 02:16:00", "2026-01-05 02:24:00"
SERVICENOW = f"Number,Opened,Resolved,Configuration item,Short description\nINC1,{START},{END},r01,down\n"
JIRA_DATES = "Issue key;Created;Resolved;Component/s\nNET-1;05/Jan/26 2:16 AM;05/Jan/26 2:24 AM;r01\n"
JIRA_API = json.dumps(
    {
        "issues": [
            {"key": "NET-1", "fields": {"created": f"{START}.000+0000", "resolved": END, "host": {"value": "r01"}}},
        ]
    }
)
SERVICENOW_API = json.dumps(
    {"result": [{"opened_at": START, "resolved_at": END, "cmdb_ci": {"display_value": "r01", "link": "x"}}]}
)
JIRA = f"Issue key;Summary;Created;Resolved;Affected host\nNET-1;r01 down;{START};{END};r01\n"
PAGERDUTY = f"id,incident_number,created_on,resolved_on,service_name\nP1,1,{START}Z,{END}Z,r01\n"
AZURE = "datetime,machineID,failure\n2026-01-05 02:16:00,r01,comp1\n"
DURATIONS = f"host,started_at,duration\nr01,{START},8m\n"
MINUTES = f"host,started_at,duration_minutes\nr01,{START},8\n"
ALERTMANAGER = json.dumps(
    [
        {
            "labels": {"alertname": "Down", "instance": "r01"},
            "startsAt": "2026-01-05T02:16:00Z",
            "endsAt": "2026-01-05T02:24:00Z",
            "fingerprint": "a1",
        }
    ]
)
API = json.dumps({"incidents": [{"device": "r01", "start": START, "end": END}]})
LINES = json.dumps({"device": "r01", "start": START, "end": END}) + "\n"
WINDOWS = json.dumps({"r01": [[START, END]]})
UTF16 = f"device,start,end\nr01,{START},{END}\n".encode("utf-16")
SEPARATED = f"sep=;\ndevice;start;end\nr01;{START};{END}\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        SERVICENOW,
        SERVICENOW_API,
        JIRA,
        JIRA_DATES,
        JIRA_API,
        PAGERDUTY,
        DURATIONS,
        MINUTES,
        ALERTMANAGER,
        API,
        LINES,
        WINDOWS,
        UTF16,
        SEPARATED,
    ],
)
def test_an_export_is_read_as_it_is(tmp_path: Path, content: str | bytes) -> None:
    log = read_incidents(write(tmp_path / "inc", content), SETTINGS)
    assert log.devices == ["r01"]
    assert (log.starts[0], log.ends[0]) == (pd.Timestamp(START).value, pd.Timestamp(END).value)
    assert log.notes == ()


def test_a_log_may_be_compressed(tmp_path: Path) -> None:
    log = read_incidents(write(tmp_path / "inc.csv", gzip.compress(SERVICENOW.encode())), SETTINGS)
    assert log.devices == ["r01"]
    assert log.ids == ["INC1"]


def test_failures_without_an_end_last_for_a_set_time(tmp_path: Path) -> None:
    settings = TelemetrySettings(incidents=IncidentLogSettings(length=600 * 10**9))
    log = read_incidents(write(tmp_path / "failures.csv", AZURE), settings)
    assert int(log.ends[0] - log.starts[0]) == 600 * 10**9
    assert log.kinds == ["comp1"]
    assert log.notes == ("no end column: the length of each incident is set to 10m (telemetry.incidents.length)",)


@pytest.mark.parametrize("end", ["", "N/A", "null", "None", "-", "0001-01-01T00:00:00Z"])
def test_an_end_that_is_not_known_is_open(tmp_path: Path, end: str) -> None:
    log = read_incidents(write(tmp_path / "inc.csv", f"device,start,end\nr01,{START},{end}\n"), SETTINGS)
    assert log.closed_ends() == [None]


@pytest.mark.parametrize(
    ("settings", "start", "expected"),
    [
        (IncidentLogSettings(time_format="%d/%b/%y %I:%M %p"), "05/Jan/26 2:16 AM", "2026-01-05T02:16"),
        (IncidentLogSettings(timezone="Europe/Vienna"), "2026-01-05 03:16", "2026-01-05T02:16"),
        (IncidentLogSettings(timezone="Europe/Vienna"), "2026-01-05T02:16Z", "2026-01-05T02:16"),
        (IncidentLogSettings(), "2026/01/05 02:16:00 UTC", "2026-01-05T02:16"),
        (IncidentLogSettings(), "1767579360", "2026-01-05T02:16"),
    ],
)
def test_times_are_read_as_those_of_telemetry(
    tmp_path: Path, settings: IncidentLogSettings, start: str, expected: str
) -> None:
    path = write(tmp_path / "inc.csv", f"device,start,duration\nr01,{start},8m\n")
    log = read_incidents(path, TelemetrySettings(incidents=settings))
    assert log.starts[0] == pd.Timestamp(expected).value


def test_the_zone_of_the_telemetry_is_that_of_its_log(tmp_path: Path) -> None:
    path = write(tmp_path / "inc.csv", "device,start,duration\nr01,2026-01-05 03:16,8m\n")
    log = read_incidents(path, TelemetrySettings(timezone="Europe/Vienna"))
    assert log.starts[0] == pd.Timestamp(START).value


def test_several_columns_are_the_device_as_in_telemetry(tmp_path: Path) -> None:
    path = write(tmp_path / "inc.csv", f"Host,Interface,start,end\nr01,eth0,{START},{END}\n")
    log = read_incidents(path, TelemetrySettings(device=("host+interface",)))
    assert log.devices == ["r01/eth0"]


def test_columns_are_named_by_settings(tmp_path: Path) -> None:
    named = IncidentLogSettings(device=("wer",), start=("von",), end=("bis",), kind=("was",))
    content = f"wer,von,bis,was,device\nr01,{START},{END},stromausfall,other\n"
    log = read_incidents(write(tmp_path / "inc.csv", content), TelemetrySettings(incidents=named))
    assert (log.devices, log.kinds) == (["r01"], ["stromausfall"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("device,wann\nr01,1\n", "inc: no column for the start; its columns are device, wann; name it with --set"),
        (f"device,start,end\nr01,{START},tomorrow\n", "inc: line 2: column 'end': 'tomorrow' is "),
        ("device,start,end\nr01,,2\n", "inc: line 2: column 'start': the start of the incident is missing"),
        (
            f'device,start,end,text\nr01,{START},{END},"a\nb"\nr01,{END},{START},x\n',
            "inc: line 4: the incident does",
        ),
        (f"device,start,end\n\nr01,{START}\n", "inc: line 3: 2 values where the header has 3"),
        (f"device,start,duration\nr01,{START},long\n", "inc: line 2: column 'duration': invalid duration 'long'"),
        (f"device,start,end\n,{START},{END}\n", "inc: line 2: column 'device' is empty"),
        (f"device,start,start,end\nr01,{START},{START},{END}\n", "inc: two columns are named 'start'"),
        (b"device,start,end\nr\xe9seau,1,2\n", "inc: line 2: not UTF-8 (byte 0xe9, 'é' in cp1252); if "),
        ("", "inc: the file is empty"),
        ("3\n", "inc: no column for the start"),
        ('{"r01": 3}', "inc: "),
        ("[[1]]", "inc: entry 1: not an object"),
        ("[" * 100_000, "inc: not readable JSON"),
        ('{"device": "r01"}\n{"dev', "inc: line 2: not readable JSON"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(NetopsError) as error:
        read_incidents(write(tmp_path / "inc", content), SETTINGS)
    assert str(error.value).startswith(f"{tmp_path}/{message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10m", 600), ("90", 90), ("0:10:00", 600), ("1 day 01:00:00", 90_000), ("1h 30m", 5_400), ("PT1H30M", 5_400)],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert duration_of(text) == seconds * 10**9


def test_thousands_of_incidents_take_linear_time() -> None:
    count = 40_000
    starts = pd.date_range("2026-01-01", periods=count, freq="60s", tz="UTC").asi8
    log = IncidentLog("inc.csv", ["r01"] * count, [f"k{i}" for i in range(count)], starts, starts + 30 * 10**9)
    began = time.process_time()
    kinds = [log.kind_at("r01", int(start), int(start) + 1) for start in starts]
    assert kinds == log.kinds
    assert len(log.of("r01")[0]) == count
    assert time.process_time() - began < 3


def test_the_kind_is_that_of_the_first_incident_that_overlaps() -> None:
    starts, ends = [0, 5, 20, 100], [50, 8, 60, 110]
    log = IncidentLog(
        "inc.csv",
        ["a"] * 4,
        ["long", "short", "later", "last"],
        pd.array(starts).to_numpy(),
        pd.array(ends).to_numpy(),
    )
    found = {(a, b): log.kind_at("a", a, b) for a, b in [(0, 1), (6, 7), (9, 10), (55, 58), (60, 90), (90, 101)]}
    assert found == {
        (0, 1): "long",
        (6, 7): "long",
        (9, 10): "long",
        (55, 58): "later",
        (60, 90): "",
        (90, 101): "last",
    }


def test_a_log_may_be_in_another_encoding(tmp_path: Path) -> None:
    path = write(tmp_path / "inc.csv", f"device,start,end,text\nr01,{START},{END},Störung\n".encode("cp1252"))
    with pytest.raises(NetopsError, match=r"--set telemetry\.incidents\.encoding=cp1252"):
        read_incidents(path, SETTINGS)
    log = read_incidents(path, TelemetrySettings(incidents=IncidentLogSettings(encoding="cp1252")))
    assert log.devices == ["r01"]


@pytest.mark.parametrize("ending", [".xlsx", ".parquet", ".feather"])
@pytest.mark.parametrize("typed", [True, False])
def test_a_log_may_be_a_table(tmp_path: Path, ending: str, typed: bool) -> None:
    written = {
        "Configuration item": ["r01", "2"],
        "Opened": [START, "2026-01-06 10:00:00"],
        "Resolved": [END, None],
        "Priority": [1, 2],
    }
    frame = pd.DataFrame(written)
    if typed:
        frame = frame.assign(Opened=pd.to_datetime(frame.Opened), Resolved=pd.to_datetime(frame.Resolved))
    path = tmp_path / f"inc{ending}"
    if ending == ".xlsx":
        frame.to_excel(path, index=False)
    elif ending == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_feather(path)
    log = read_incidents(path, SETTINGS)
    assert log.devices == ["r01", "2"]
    assert log.starts[0] == pd.Timestamp(START).value
    assert log.closed_ends() == [pd.Timestamp(END).value, None]
    assert log.at == [f"{path}: row 1", f"{path}: row 2"]
