"""Columns of templates that the champion takes: they are counted with those of a new training, to compare both."""

from collections.abc import Callable

from netops import progress
from netops.features.spec import FeatureSpec
from netops.logs.columns import LogColumns
from netops.logs.templates.miner import Templates
from netops.models.card import ModelCard

#: Finds the card of the model in service, if there is one.
Champion = Callable[[], ModelCard | None]


def no_champion() -> ModelCard | None:
    """Return that no model is in service."""
    return None


def carried_templates(templates: Templates, champion: ModelCard | None, limit: int) -> dict[str, int]:
    """Add the templates that the champion takes.

    Parameters
    ----------
    templates : Templates
        Those of the new training, which get those of the champion that they lack.
    champion : ModelCard or None
    limit : int
        Maximum number; a champion that takes more is not counted, and cannot be compared.

    Returns
    -------
    dict
        Columns of the champion → their templates in ``templates``.
    """
    if champion is None or not champion.logs:
        return {}
    declared, spec = LogColumns.from_dict(champion.logs), FeatureSpec.from_dict(champion.spec)
    used = {spec.feature(name).metric for name in champion.features}
    wanted = {name: number for name, number in declared.numbers.items() if name in used}
    if len(wanted) > limit:
        progress.say(
            f"warn: logs: the champion counts {len(wanted)} templates; set logs.max_columns to as many, so that it "
            "can be compared"
        )
        return {}
    return dict(zip(wanted, templates.include(declared.templates, wanted.values()), strict=True))
