"""Where the chosen model does well and where it does not: its figures by attribute of the device."""

from dataclasses import dataclass

from netops.models.evaluation import Evaluation, Figures
from netops.models.report.words import titled

#: Rows of a table at most: those with the most incidents missed come first.
_MOST = 12


@dataclass(frozen=True)
class Group:
    """An attribute of the devices, broken down.

    Attributes
    ----------
    title : str
    rows : list of (str, Figures)
    left_out : int
        Further values that are not listed.
    """

    title: str
    rows: list[tuple[str, Figures]]
    left_out: int


def groups_of(evaluation: Evaluation) -> list[Group]:
    """List the breakdowns by attribute; scenarios are told of beside the incidents."""
    return [
        Group(titled(attribute), _worst(values)[:_MOST], max(0, len(values) - _MOST))
        for attribute, values in evaluation.groups.items()
        if attribute != "scenario"
    ]


def _worst(values: dict[str, Figures]) -> list[tuple[str, Figures]]:
    """Put those first of which most incidents were missed, then those with most false alarms."""

    def key(item: tuple[str, Figures]) -> tuple[int, int, str]:
        found = item[1]
        return found.incidents_warned - found.incidents, -found.false_alarms, item[0]

    return sorted(values.items(), key=key)
