"""Templates of messages: learned online, stored as JSON, frozen in service."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from netops.config.binding import bind
from netops.errors import NetopsError
from netops.json_types import JsonDict
from netops.logs.settings import TemplateSettings
from netops.logs.templates.masks import MaskedWords
from netops.logs.templates.tree import Template, Tree

Int32 = npt.NDArray[np.int32]
#: The id of a message without a template.
NEW = -1
#: Part of the stored form; a later form has a higher one.
VERSION = 1
#: Messages whose template is stored by their masked text.
_STORED = 50_000


class Templates:
    """Templates of messages.

    Parameters
    ----------
    settings : TemplateSettings, optional

    Attributes
    ----------
    unlearned : int
        Messages that have no template because there are too many.
    """

    def __init__(self, settings: TemplateSettings | None = None) -> None:
        self.settings = settings or TemplateSettings()
        self._tree, self._masked = Tree(self.settings), MaskedWords()
        self._ids: dict[str, int] = {}
        self._known: dict[str, int | None] = {}
        self.unlearned = 0

    def __len__(self) -> int:
        return len(self._tree.templates)

    def text(self, number: int) -> str:
        """Return a template as text: ``%LINK-3-UPDOWN: Interface <*> changed state to down``."""
        return " ".join(self._tree.templates[number].words)

    def key(self, number: int) -> str:
        """Return the hash of a template, which does not depend on its number: 32 hexadecimal digits."""
        return self._tree.templates[number].key

    def include(self, others: "Templates", numbers: Iterable[int]) -> list[int]:
        """Add some templates of another training, unless they exist.

        Parameters
        ----------
        others : Templates
        numbers : iterable of int
            Theirs.

        Returns
        -------
        list of int
            The numbers of these templates here.
        """
        known = {template.key: number for number, template in enumerate(self._tree.templates)}
        found = []
        for number in numbers:
            template = others._tree.templates[number]
            if template.key not in known:
                known[template.key] = self._tree.restore(Template(list(template.words), template.path))
            found.append(known[template.key])
        self._ids.clear()
        self._known.clear()
        return found

    def counts(self) -> list[int]:
        """Return the number of messages that each template was learned from."""
        return [template.count for template in self._tree.templates]

    def learn(self, messages: Iterable[str]) -> None:
        """Learn messages, in their order."""
        for message in messages:
            number = self._learned(self._words(message))
            if number is None:
                self.unlearned += 1
            else:
                self._tree.templates[number].count += 1
        self._ids.clear()

    def _learned(self, words: list[str]) -> int | None:
        """Learn a message, unless one with the same masked words was learned before."""
        text = " ".join(words)
        if text in self._known:
            return self._known[text]
        if len(self._known) >= _STORED:
            self._known.clear()
        number = self._known[text] = self._tree.add(words)
        return number

    def find(self, messages: Sequence[str]) -> Int32:
        """Return the templates of messages, which are not changed by it.

        Parameters
        ----------
        messages : sequence of str, n

        Returns
        -------
        int32 array, n
            Numbers from 0, ``NEW`` for messages without a template.
        """
        return np.fromiter(map(self._id, messages), np.int32, len(messages))

    def _id(self, message: str) -> int:
        words = self._words(message)
        text = " ".join(words)
        found = self._ids.get(text)
        if found is None:
            if len(self._ids) >= _STORED:
                self._ids.clear()
            number = self._tree.find(words)
            self._ids[text] = found = NEW if number is None else number
        return found

    def _words(self, message: str) -> list[str]:
        """Mask the words of the first line of a message, of a long message the first ones."""
        if "\n" in message:
            message = message.partition("\n")[0]
        words = message.split(None, self.settings.max_words)[: self.settings.max_words]
        return list(map(self._masked.__getitem__, words))

    def to_dict(self) -> JsonDict:
        """Return them as JSON-compatible values."""
        return {
            "version": VERSION,
            "settings": asdict(self.settings),
            "templates": [
                {"words": " ".join(template.words), "path": list(template.path), "count": template.count}
                for template in self._tree.templates
            ],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Templates":
        """Read what :meth:`to_dict` wrote: the same templates, with the same numbers.

        Raises
        ------
        NetopsError
            If it is damaged, or of a later version.
        """
        if values.get("version") != VERSION:
            raise NetopsError(f"log templates of version {values.get('version')!r}; this program reads {VERSION}")
        found = cls(bind(TemplateSettings, values.get("settings"), "log templates: settings"))
        for number, stored in enumerate(values.get("templates", ())):
            found._tree.restore(_template(stored, number))
        return found


def _template(stored: object, number: int) -> Template:
    if isinstance(stored, Mapping):
        words, path, count = (stored.get(key) for key in ("words", "path", "count"))
        if isinstance(words, str) and isinstance(count, int) and isinstance(path, list) and _is_path(path, words):
            return Template(words.split(" ") if words else [], tuple(path), count)
    raise NetopsError(f"log templates: template {number} is damaged")


def _is_path(path: list[object], words: str) -> bool:
    """Return whether a path belongs to templates of this number of words."""
    count = len(words.split(" ")) if words else 0
    return len(path) >= 2 and all(isinstance(key, str) for key in path) and path[0] == str(count)
