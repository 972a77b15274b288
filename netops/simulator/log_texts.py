"""Texts of generated log messages, in the styles of network operating systems.

A placeholder in braces becomes a value: ``{iface}``, ``{ip}``, ``{n}`` (a small number), ``{big}``, ``{user}``.
"""

from collections.abc import Mapping
from typing import NamedTuple

from netops.simulator.scenarios import (
    Cascade,
    Congestion,
    Degradation,
    Failure,
    Flapping,
    Maintenance,
    MemoryLeak,
    SensorFault,
    SiteOutage,
    TrafficPeak,
)


class Text(NamedTuple):
    """A message: severity, program, text."""

    severity: int
    program: str
    text: str


def in_style_of_junos(text: Text) -> Text:
    """Convert a message with a mnemonic to one of a daemon of Junos.

    >>> in_style_of_junos(Text(3, "Ebra", "%LINK-3-UPDOWN: Interface {iface}, changed state to down"))
    Text(severity=3, program='linkd', text='LINKD_UPDOWN: Interface {iface}, changed state to down')
    """
    kind, _, rest = text.text.partition(": ")
    facility, _, mnemonic = kind.lstrip("%").split("-", 2)
    return Text(text.severity, f"{facility.lower()}d", f"{facility}D_{mnemonic}: {rest}")


_PROGRAMS = (
    *("Aaa", "Acl", "Bfd", "Bgp", "Cdp", "Dhcp", "Dot1x", "Fib", "Flow", "Hsrp", "Igmp", "Isis", "Lacp", "Ldp"),
    *("Lldp", "Mlag", "Mpls", "Ntp", "Ospf", "Pim", "Pki", "Poe", "Ptp", "Qos", "Radius", "Rib", "Snmp", "Ssh"),
    *("Stp", "Syslog", "Tacacs", "Telemetry", "Vlan", "Vrf", "Vrrp", "Vxlan", "Xcvr", "Ztp"),
)
_ROUTINE = (
    (6, "{name}-6-ENTRY_ADDED: entry for {ip} added to table {n}"),
    (6, "{name}-6-ENTRY_AGED: entry for {ip} aged out after {big} seconds"),
    (6, "{name}-6-SESSION_START: session {big} of {user} from {ip} started"),
    (6, "{name}-6-SESSION_END: session {big} of {user} ended, {big} bytes"),
    (5, "{name}-5-CONFIG_APPLIED: revision {n} applied by {user}"),
    (6, "{name}-6-TIMER: periodic task finished in {n} ms"),
    (5, "{name}-5-NEIGHBOR: neighbor {ip} on {iface} refreshed"),
    (4, "{name}-4-RETRY: request to {ip} timed out, retry {n}"),
)
#: Routine messages, of the most frequent programs first.
ROUTINE = tuple(
    Text(severity, program, "%" + text.replace("{name}", program.upper()))
    for severity, text in _ROUTINE
    for program in _PROGRAMS
)
_LINK_DOWN = Text(3, "Ebra", "%LINK-3-UPDOWN: Interface {iface}, changed state to down")
_LINK_UP = Text(5, "Ebra", "%LINK-3-UPDOWN: Interface {iface}, changed state to up")
_CRC = Text(4, "Phy", "%PHY-4-CRC_ERRORS: Interface {iface}: {big} CRC errors in the last minute")
_OPTICS = Text(4, "Xcvr", "%XCVR-4-RX_POWER_LOW: Interface {iface}: receive power below the warning threshold")
_DROPS = Text(4, "Qos", "%QOS-4-QUEUE_DROPS: Interface {iface} queue {n}: {big} packets discarded")
_MEMORY = Text(4, "ProcMgr", "%SYS-4-MEMORY_LOW: free memory is {n} percent, process {user} holds {big} kB")
_CPU = Text(4, "ProcMgr", "%SYS-4-CPU_HOG: process {user} ran for {big} ms")
_BGP = Text(3, "Bgp", "%BGP-3-NOTIFICATION: sent to neighbor {ip}, hold time expired")
_FAN = Text(3, "Environment", "%ENV-3-FAN_SPEED: fan {n} is out of range")
_POWER = Text(2, "Environment", "%ENV-2-POWER_FEED: power feed {n} is unstable")

#: Messages before an incident of a scenario.
PRECURSORS: Mapping[type[Failure], tuple[Text, ...]] = {
    Cascade: (_BGP, _DROPS, _CPU),
    Degradation: (_OPTICS, _CRC, _FAN),
    MemoryLeak: (_MEMORY, _MEMORY, _CPU),
    Flapping: (_LINK_DOWN, _LINK_UP, _CRC),
    Congestion: (_DROPS, _DROPS, _CPU),
    SiteOutage: (_POWER, _BGP, _LINK_DOWN),
}
#: Messages of benign events, in addition to those that resemble an incident.
BENIGN: Mapping[type, tuple[Text, ...]] = {
    Maintenance: (
        Text(5, "ConfigAgent", "%SYS-5-CONFIG_I: Configured from console by {user} on vty{n} ({ip})"),
        _LINK_DOWN,
        _LINK_UP,
    ),
    SensorFault: (Text(4, "Snmp", "%SNMP-4-SENSOR: sensor {n} returned no value"),),
    TrafficPeak: (Text(4, "Flow", "%FLOW-4-RATE: Interface {iface} above {n} percent of its rate"),),
}
#: What a device writes when it fails, and when it is up again.
FAILED = (
    Text(1, "Supervisor", "%SYS-1-FAILED: forwarding stopped, code {n}"),
    Text(3, "Bgp", "%BGP-3-DOWN: neighbor {ip} is down, {big} routes withdrawn"),
)
RESTARTED = (
    Text(5, "Supervisor", "%SYS-5-RESTART: system restarted, image {n}"),
    Text(5, "Bgp", "%BGP-5-ADJCHANGE: neighbor {ip} changed state to Established"),
)
