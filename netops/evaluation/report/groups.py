"""Metrics of the selected model by attribute of the device."""

from collections.abc import Mapping
from dataclasses import dataclass

from netops.alerting.resampling import Interval
from netops.evaluation.evaluate import Evaluation, Figures
from netops.evaluation.report.bounds import alarms_between, recall_between
from netops.evaluation.report.words import lasting, percent, spread, titled

#: Maximum rows of a table; those with the most missed incidents are first.
_MOST = 12


@dataclass(frozen=True)
class Group:
    """An attribute of the devices, broken down.

    Attributes
    ----------
    title : str
    rows : list of (str, Figures, Ranges)
    left_out : int
        Further values that are not listed.
    """

    title: str
    rows: list[tuple[str, Figures, "Ranges"]]
    left_out: int


@dataclass(frozen=True)
class Ranges:
    """95% intervals of the metrics of a group, as text."""

    event_recall: str
    false_alarms_per_device_day: str
    precision: str
    median_lead_seconds: str

    @classmethod
    def of(cls, found: Figures, intervals: Mapping[str, Interval]) -> "Ranges":
        """Format the intervals, or exact bounds if resampling gives none."""
        return cls(
            recall_between(found, intervals.get("event_recall")),
            alarms_between(found, intervals.get("false_alarms_per_device_day")),
            spread(intervals.get("precision"), percent),
            spread(intervals.get("median_lead_seconds"), lasting),
        )


def groups_of(evaluation: Evaluation) -> list[Group]:
    """List the breakdowns by attribute; scenarios are reported with the incidents."""
    return [
        Group(
            titled(attribute),
            [
                (name, found, Ranges.of(found, evaluation.group_intervals[attribute][name]))
                for name, found in _worst(values)[:_MOST]
            ],
            max(0, len(values) - _MOST),
        )
        for attribute, values in evaluation.groups.items()
        if attribute != "scenario"
    ]


def _worst(values: dict[str, Figures]) -> list[tuple[str, Figures]]:
    """Put those first of which most incidents were missed, then those with most false alarms."""

    def key(item: tuple[str, Figures]) -> tuple[int, int, str]:
        found = item[1]
        return found.incidents_warned - found.incidents, -found.false_alarms, item[0]

    return sorted(values.items(), key=key)
