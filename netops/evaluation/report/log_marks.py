"""Log messages of an episode: where its device wrote warnings, errors and messages of the selected templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np

from netops.alerting.sequences import Floats
from netops.evaluation.report.words import counted, shortened
from netops.logs.columns import ERRORS, WARNINGS
from netops.models.card import ModelCard

#: Letters of a template in a tip and in the legend.
_LETTERS = 160
_SEVERITIES = {ERRORS: ("errors", "of error or worse"), WARNINGS: ("warnings", "of warning")}


@dataclass(frozen=True)
class LogLane:
    """The messages of one severity or template.

    Attributes
    ----------
    name : str
        The short name next to the lane.
    text : str
        Which messages they are.
    style : str
        ``errors``, ``warnings`` or ``template``.
    counts : float64 array, n
        Messages since the previous sample; NaN if unknown.
    """

    name: str
    text: str
    style: str
    counts: Floats

    @property
    def messages(self) -> int:
        """Number of messages."""
        return int(np.nansum(self.counts))

    def tip(self, messages: int, time: str) -> str:
        """Describe a mark."""
        return f"{counted(messages, 'message')} {self.text}, {time} UTC"


def log_texts(card: ModelCard) -> dict[str, str]:
    """Return the columns whose messages are marked, with the text of those that are of a template."""
    return dict.fromkeys(_SEVERITIES, "") | dict(card.logs.get("texts", {})) if card.logs else {}


def log_lanes(texts: Mapping[str, str], counts: Mapping[str, Floats]) -> list[LogLane]:
    """Return the lanes of an episode: severities that are known, and the templates that occur.

    Parameters
    ----------
    texts : mapping
        Column → text of the template (see :func:`log_texts`).
    counts : mapping
        Column → float64 array, n.
    """
    known = {name: values for name, values in counts.items() if not np.isnan(values).all()}
    lanes = [
        LogLane(name, about, name, known[column])
        for column, (name, about) in _SEVERITIES.items()
        if column in texts and column in known
    ]
    # The letters are those of all templates, so that one has the same letter in all figures of a report.
    templates = enumerate(column for column in texts if column not in _SEVERITIES)
    return lanes + [
        LogLane(f"template {_letter(number)}", shortened(texts[column], _LETTERS), "template", known[column])
        for number, column in templates
        if np.nansum(known.get(column, 0)) > 0
    ]


def _letter(number: int) -> str:
    """Return A to Z, then 27 and so on."""
    return ascii_uppercase[number] if number < len(ascii_uppercase) else str(number + 1)
