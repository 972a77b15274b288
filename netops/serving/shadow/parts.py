"""The comparison of a partition as plain values, and the report of one or several of them.

The devices of partitions are disjoint, so the values are those of one comparison of all devices.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from netops.alerting.sequences import Incidents
from netops.config.durations import DAY
from netops.serving.alerts.outcome import Outcome, outcome
from netops.serving.decode.times import iso
from netops.serving.shadow.report import Assessment, Role, RoleOutcome, ShadowReport

CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
ROLES: tuple[Role, Role] = (CHAMPION, CHALLENGER)


class ComparedPart(msgspec.Struct, frozen=True):
    """The comparison of a partition; times are in nanoseconds.

    Attributes
    ----------
    versions : (str, str)
        Champion and challenger.
    samples, skipped : int
        Samples that both have scored, and those that the challenger has not.
    reached : list of list of int
        Samples by ``[champion at its threshold][challenger at its threshold]``.
    incidents : list of (str, int, int) or None
        Those in the samples, or recorded ones; None if nothing is known about incidents.
    """

    versions: tuple[str, str]
    horizon: int
    since: int
    until: int
    samples: int
    skipped: int
    difference: float
    healthy: int
    histograms: list[list[int]]
    reached: list[list[int]]
    opened: list[int]
    shared: list[int]
    alerts: list[list[tuple[str, int]]]
    incidents: list[tuple[str, int, int]] | None


class _Total(NamedTuple):
    samples: int
    skipped: int
    difference: float
    healthy: int


def report_of(parts: Sequence[ComparedPart]) -> ShadowReport:
    """Return the report of the comparisons of the same two models; at least one."""
    champion, challenger = parts[0].versions
    total = _Total(*(sum(getattr(part, name) for part in parts) for name in _Total._fields))
    used = [part for part in parts if part.samples]
    reached = [_added([part.reached[index] for part in parts]) for index in range(2)]
    (neither, challenger_only), (champion_only, both) = reached
    opened, shared = _added([part.opened for part in parts]), _added([part.shared for part in parts])
    return {
        CHAMPION: champion,
        CHALLENGER: challenger,
        "since": iso(min(part.since for part in used)) if used else None,
        "until": iso(max(part.until for part in used)) if used else None,
        "samples": total.samples,
        "skipped": total.skipped,
        "mean_difference": total.difference / total.samples if used else None,
        "agreement": {
            "share": (neither + both) / total.samples if used else None,
            "both": both,
            "champion_only": champion_only,
            "challenger_only": challenger_only,
            "neither": neither,
        },
        "histograms": {
            role: _added([part.histograms[index] for part in parts]) for index, role in enumerate(ROLES)
        },
        "alerts": {
            role: {"opened": opened[index], "shared": shared[index], "only": opened[index] - shared[index]}
            for index, role in enumerate(ROLES)
        },
        "judged": _assessed(parts, total.healthy / DAY),
    }


def _assessed(parts: Sequence[ComparedPart], days: float) -> Assessment | None:
    """Assess the alerts of both that are older than a horizon."""
    known = [part for part in parts if part.incidents is not None]
    if not known:
        return None
    incidents = [
        one for part in known for one in part.incidents or () if part.since <= one[1] <= part.until - part.horizon
    ]
    alerts = [
        [one for part in known for one in part.alerts[index] if one[1] <= part.until - part.horizon]
        for index in range(2)
    ]
    names = [device for device, *_ in (*incidents, *alerts[0], *alerts[1])]
    indices = {name: index for index, name in enumerate(dict.fromkeys(names))}
    device, start, end = ([one[column] for one in incidents] for column in range(3))
    found = Incidents.of(len(indices), [indices[str(name)] for name in device], start, end)
    horizon = known[0].horizon
    champion, challenger = (outcome([(indices[name], at) for name, at in own], found, horizon) for own in alerts)
    return {
        "until": iso(min((part.until for part in known if part.samples), default=known[0].until) - horizon),
        "device_days": days,
        CHAMPION: _with_rates(champion, days),
        CHALLENGER: _with_rates(challenger, days),
    }


def _with_rates(found: Outcome, days: float) -> RoleOutcome:
    return {
        "incidents": found.incidents,
        "warned": found.warned,
        "true_alerts": found.true_alerts,
        "false_alarms": found.false_alarms,
        "median_lead_seconds": found.median_lead_seconds,
        "event_recall": found.warned / found.incidents if found.incidents else None,
        "false_alarms_per_device_day": found.false_alarms / days if days > 0 else None,
    }


def _added(rows: Sequence[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)]
