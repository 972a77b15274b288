"""Columns of templates that the champion takes: they are counted with those of a new training, to compare both."""

from collections.abc import Callable, Iterable

from netops import progress
from netops.features.spec import FeatureSpec
from netops.logs.columns import Carried, LogColumns
from netops.logs.settings import LogSettings
from netops.logs.templates.miner import Templates
from netops.models.card import ModelCard

#: Finds the card of the model in service, if there is one.
Champion = Callable[[], ModelCard | None]


def no_champion() -> ModelCard | None:
    """Return that no model is in service."""
    return None


def carried_columns(templates: Templates, champion: ModelCard | None, settings: LogSettings) -> Carried:
    """Add the templates that the champion takes.

    Parameters
    ----------
    templates : Templates
        Those of the new training, which get those of the champion that they lack.
    champion : ModelCard or None
    settings : LogSettings
        Maximum numbers; what a champion takes beyond them is not counted, and it cannot be compared.
    """
    if champion is None or not champion.logs:
        return Carried()
    declared, spec = LogColumns.from_dict(champion.logs), FeatureSpec.from_dict(champion.spec)
    used = {spec.feature(name).metric for name in champion.features}
    wanted = {name: number for name, number in declared.numbers.items() if name in used}
    groups = {name: numbers for name, numbers in declared.groups.items() if name in used}
    if _exceeds("max_columns", len(wanted), settings.max_columns):
        return Carried()
    if _exceeds("max_precursors", len({n for of in groups.values() for n in of}), settings.max_precursors):
        return Carried()

    def here(numbers: Iterable[int]) -> tuple[int, ...]:
        return tuple(templates.include(declared.templates, numbers))

    columns = dict(zip(wanted, here(wanted.values()), strict=True))
    return Carried(columns, {name: here(numbers) for name, numbers in groups.items()})


def _exceeds(setting: str, count: int, limit: int) -> bool:
    """Return whether the champion takes more than a setting allows, and report it."""
    if count > limit:
        progress.say(
            f"warn: logs: the champion counts {count} templates; set logs.{setting} to as many, so that it can be "
            "compared"
        )
    return count > limit
