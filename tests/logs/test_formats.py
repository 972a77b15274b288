"""Lines of each format, as devices and relays write them."""

import pytest

from netops.logs.formats.cisco import parse_cisco
from netops.logs.formats.detection import detect
from netops.logs.formats.plain import parse_plain, parse_single
from netops.logs.formats.protocol import Fields
from netops.logs.formats.registry import BY_LINE
from netops.logs.formats.syslog import parse_rfc3164, parse_rfc5424
from netops.logs.severity import name_of, of_word

RFC3164 = {
    "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8": (
        *("Oct 11 22:14:15", "mymachine", 2),
        "su: 'su root' failed for lonvick on /dev/pts/8",
    ),
    "<187>2026-11-28T03:17:18.123456+01:00 leaf1 Ebra: %LINK-3-UPDOWN: Interface Ethernet1, changed state": (
        *("2026-11-28T03:17:18.123456+01:00", "leaf1", 3),
        "%LINK-3-UPDOWN: Interface Ethernet1, changed state",
    ),
    "<38>2026-11-28T03:17:18Z r1 sshd[7]: session closed": (
        *("2026-11-28T03:17:18Z", "r1", 6),
        "sshd: session closed",
    ),
    "Nov  8 03:17:18 leaf1.dc1 sshd[2211]: Accepted password for root": (
        *("Nov  8 03:17:18", "leaf1.dc1", -1),
        "sshd: Accepted password for root",
    ),
    "Nov 28 03:17:18 leaf1 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet1, changed state to up": (
        *("Nov 28 03:17:18", "leaf1", 5),
        "%LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet1, changed state to up",
    ),
    "<189>Nov 28 03:17:18 10.0.0.1 12345: *Nov 28 03:17:17.123: %LINK-3-UPDOWN: Interface Gi0/1, changed state": (
        *("Nov 28 03:17:18", "10.0.0.1", 3),
        "%LINK-3-UPDOWN: Interface Gi0/1, changed state",
    ),
    "<187>Nov 28 03:17:18 2001:db8::1 99: r1: Nov 28 2026 03:17:17.123 UTC: %OSPF-5-ADJCHG: Process 1": (
        *("Nov 28 03:17:18", "2001:db8::1", 5),
        "%OSPF-5-ADJCHG: Process 1",
    ),
    "Nov 28 03:17:18 n9k-1 : 2026 Nov 28 03:17:17 UTC: %ETHPORT-5-IF_DOWN: Interface Ethernet1/1 is down": (
        *("Nov 28 03:17:18", "n9k-1", 5),
        "%ETHPORT-5-IF_DOWN: Interface Ethernet1/1 is down",
    ),
    "Nov 28 03:17:18  mx1 rpd[1234]: RPD_BGP_NEIGHBOR_STATE_CHANGED: BGP peer 10.0.0.2 changed state": (
        *("Nov 28 03:17:18", "mx1", -1),
        "rpd: RPD_BGP_NEIGHBOR_STATE_CHANGED: BGP peer 10.0.0.2 changed state",
    ),
    "Nov 28 03:17:18.250 2026  mx1 mib2d[99]: %DAEMON-4-SNMP_TRAP_LINK_DOWN: ifIndex 507": (
        *("Nov 28 03:17:18.250 2026", "mx1", 4),
        "%DAEMON-4-SNMP_TRAP_LINK_DOWN: ifIndex 507",
    ),
    "Nov 28 2026 03:17:18 asa1 : %ASA-6-302013: Built outbound TCP connection": (
        *("Nov 28 2026 03:17:18", "asa1", 6),
        "%ASA-6-302013: Built outbound TCP connection",
    ),
    "Nov 28 03:17:18 sshd[7]: session closed": ("Nov 28 03:17:18", "", -1, "sshd: session closed"),
    "Nov 28 03:17:18 r1 last message repeated 3 times": (
        *("Nov 28 03:17:18", "r1", -1),
        "last message repeated 3 times",
    ),
}
RFC5424 = {
    "<187>1 2026-11-28T06:17:00+00:00 leaf0 Ebra - - -  %LINK-3-UPDOWN: Interface Ethernet0, changed state": (
        *("2026-11-28T06:17:00+00:00", "leaf0", 3),
        "%LINK-3-UPDOWN: Interface Ethernet0, changed state",
    ),
    "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed": (
        *("2003-10-11T22:14:15.003Z", "mymachine.example.com", 2),
        "su: ID47: 'su root' failed",
    ),
    r'<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - [a b="x\"]y"][c d="e"] It is time': (
        *("2003-08-24T05:14:15.000003-07:00", "192.0.2.1", 5),
        "myproc: It is time",
    ),
    '1 2026-11-28T03:17:18Z mx1 rpd 1234 RPD_BGP_NEIGHBOR_STATE_CHANGED [junos@2636.1.1.1.2.29 p="1"] down': (
        *("2026-11-28T03:17:18Z", "mx1", -1),
        "rpd: RPD_BGP_NEIGHBOR_STATE_CHANGED: down",
    ),
    "<14>1 2026-11-28T03:17:18Z - - - - -": ("2026-11-28T03:17:18Z", "", 6, ""),
}
CISCO = {
    "000123: *Nov 28 03:17:18.123 UTC: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to down": (
        *("Nov 28 03:17:18.123 UTC", "", 3),
        "%LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to down",
    ),
    "<189>57: core-1: .Nov 28 03:17:18: %SYS-5-CONFIG_I: Configured from console": (
        *("Nov 28 03:17:18", "core-1", 5),
        "%SYS-5-CONFIG_I: Configured from console",
    ),
    "Nov 28 2026 03:17:18.001 CET: %BGP-5-ADJCHANGE: neighbor 10.0.0.2 Down": (
        *("Nov 28 2026 03:17:18.001 zone CET", "", 5),
        "%BGP-5-ADJCHANGE: neighbor 10.0.0.2 Down",
    ),
    "RP/0/RP0/CPU0:Nov 28 03:17:18.123 UTC: ifmgr[123]: %PKT_INFRA-LINK-3-UPDOWN : Interface TenGigE0/0/0/0": (
        *("Nov 28 03:17:18.123 UTC", "", 3),
        "%PKT_INFRA-LINK-3-UPDOWN: Interface TenGigE0/0/0/0",
    ),
    "2026 Nov 28 03:17:18 n9k-1 %ETHPORT-5-IF_UP: Interface Ethernet1/1 is up in mode trunk": (
        *("2026 Nov 28 03:17:18", "n9k-1", 5),
        "%ETHPORT-5-IF_UP: Interface Ethernet1/1 is up in mode trunk",
    ),
    "2026 Nov 28 03:17:18.456 n9k-1 %MODULE-2-MOD_FAIL: Module 2 failed": (
        *("2026 Nov 28 03:17:18.456", "n9k-1", 2),
        "%MODULE-2-MOD_FAIL: Module 2 failed",
    ),
}
PLAIN = {
    "2026-11-28T03:17:18.123456+01:00 leaf1 kernel: link down": (
        *("2026-11-28T03:17:18.123456+01:00", "leaf1", -1),
        "kernel: link down",
    ),
    "2026-11-28 03:17:18,123 r1 ERROR fan failed": ("2026-11-28 03:17:18,123", "r1", 3, "fan failed"),
    "[2026-11-28 03:17:18] [warning] r1 fan slow": ("2026-11-28 03:17:18", "r1", 4, "fan slow"),
    "1764299838.5 r1 link down": ("1764299838.5", "r1", -1, "link down"),
    "2026-11-28 03:17:18 leaf1 %LINK-3-UPDOWN: Interface Et1": (
        *("2026-11-28 03:17:18", "leaf1", 3),
        "%LINK-3-UPDOWN: Interface Et1",
    ),
}


@pytest.mark.parametrize(("line", "fields"), RFC3164.items())
def test_rfc3164(line: str, fields: tuple[str, str, int, str]) -> None:
    assert parse_rfc3164(line) == Fields(*fields)


@pytest.mark.parametrize(("line", "fields"), RFC5424.items())
def test_rfc5424(line: str, fields: tuple[str, str, int, str]) -> None:
    assert parse_rfc5424(line) == Fields(*fields)


@pytest.mark.parametrize(("line", "fields"), CISCO.items())
def test_cisco(line: str, fields: tuple[str, str, int, str]) -> None:
    assert parse_cisco(line) == Fields(*fields)


@pytest.mark.parametrize(("line", "fields"), PLAIN.items())
def test_plain(line: str, fields: tuple[str, str, int, str]) -> None:
    assert parse_plain(line) == Fields(*fields)


def test_single_has_no_host() -> None:
    assert parse_single("2026-11-28 03:17:18 WARN link down") == Fields("2026-11-28 03:17:18", "", 4, "link down")


@pytest.mark.parametrize(
    ("line", "severity", "message"),
    [
        (
            "2015-10-18 18:01:47,978 INFO [main] org.apache.hadoop.App: Created",
            6,
            "[main] org.apache.hadoop.App: Created",
        ),
        (
            "2015-07-29 17:41:44,747 - WARN  [QuorumPeer:2181] - Connection broken",
            4,
            "[QuorumPeer:2181] - Connection broken",
        ),
        ("2016-09-28 04:30:30, Info                  CBS    Loaded", 6, "CBS    Loaded"),
        ("2016-09-28 04:30:30 ERROR: link down", 3, "link down"),
    ],
)
def test_a_word_for_a_severity_is_no_host(line: str, severity: int, message: str) -> None:
    time = line.partition(",")[0].partition(" ERROR")[0]
    found = parse_single(line)
    assert isinstance(found, Fields)
    assert (found.time[:19], found.host, found.severity, found.message) == (time, "", severity, message)
    plain = parse_plain(line)
    assert plain is None or (isinstance(plain, Fields) and plain.host not in ("INFO", "WARN", "Info", "ERROR", "-"))


def test_a_time_since_the_start_is_set_aside_with_its_reason() -> None:
    for line in ("00:00:12: %LINK-3-UPDOWN: Interface", "1w2d: %SYS-5-CONFIG_I: Configured", "5: 3d04h: %A-1-B: c"):
        assert "time since the start of the device" in str(parse_cisco(line))
    assert "no time" in str(parse_rfc5424("<14>1 - r1 app - - - text"))


@pytest.mark.parametrize(
    ("name", "lines"),
    [("rfc3164", RFC3164), ("rfc5424", RFC5424), ("cisco", CISCO), ("plain", PLAIN)],
)
def test_each_line_is_of_one_format(name: str, lines: dict[str, object]) -> None:
    for line in lines:
        fitting = [other for other, parse in BY_LINE.items() if isinstance(parse(line), Fields)]
        assert fitting == (["plain", "single"] if name == "plain" else [name]), line
        if name != "plain":
            assert detect([line] * 3, "r1.log") == name


@pytest.mark.parametrize(
    ("word", "name"), [("ERR", "error"), ("Fatal", "critical"), ("6", "info"), ("x", "unknown")]
)
def test_words_for_severities(word: str, name: str) -> None:
    assert name_of(of_word(word)) == name
