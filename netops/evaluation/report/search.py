"""Description of a hyper-parameter search."""

from netops.evaluation.report.words import counted, number
from netops.models.card import ModelCard


def search_words(card: ModelCard) -> str:
    """Report trials, spread and choice of a search; nothing without a search."""
    search = card.search
    if not search.get("trials"):
        return str(search.get("note", ""))
    failed = f", {search['failed']} failed" if search["failed"] else ""
    note = f"; {search['note']}" if search["note"] else ""
    return (
        f"{counted(search['trials'], 'trial')}{failed}; average precision on the training incidents set aside: "
        f"{number(search['best'])} in trial {search['chosen']}, whose parameters these are; "
        f"{number(search['configured'])} as configured, {number(search['worst'])} at worst, "
        f"{number(search['median'])} in the middle{note}"
    )
