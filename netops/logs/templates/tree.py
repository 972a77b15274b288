"""Drain: templates of messages in a parse tree of fixed depth.

P. He, J. Zhu, Z. Zheng and M. R. Lyu, "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017. Of
it differ: words for states are part of the path (see :mod:`netops.logs.templates.states`), a placeholder equals a
placeholder, and a template that covers a message exactly is accepted whatever its similarity, so that a message
keeps a template when that becomes more general.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from netops.logs.settings import TemplateSettings
from netops.logs.templates.masks import WILDCARD, is_mnemonic
from netops.logs.templates.states import StateWords

Words: TypeAlias = Sequence[str]
Path: TypeAlias = tuple[str, ...]
#: Bytes of the key of a template.
_KEY = 16


@dataclass
class Template:
    """A template: words, placeholders where messages differ.

    Attributes
    ----------
    words : list of str
    path : tuple of str
        Keys of its leaf in the tree.
    count : int
        Messages that it was learned from.
    """

    words: list[str]
    path: Path
    count: int = 0

    @property
    def key(self) -> str:
        """Hash of path and words: the same template has the same key in every training, whatever its number."""
        text = json.dumps([self.path, self.words], ensure_ascii=False)
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_KEY).hexdigest()


@dataclass
class _Node:
    children: dict[str, "_Node"] = field(default_factory=dict)
    templates: list[int] = field(default_factory=list)


class Tree:
    """Templates by number of words, states and leading words.

    Parameters
    ----------
    settings : TemplateSettings
    """

    def __init__(self, settings: TemplateSettings) -> None:
        self.templates: list[Template] = []
        self._settings, self._root, self._states = settings, _Node(), StateWords()

    def find(self, words: Words) -> int | None:
        """Return the template of a message; None if it has none.

        Parameters
        ----------
        words : sequence of str
            The masked words of a message.
        """
        leaf, _ = self._walk(words)
        return None if leaf is None else self._best(leaf, words)

    def add(self, words: Words) -> int | None:
        """Learn a message.

        Parameters
        ----------
        words : sequence of str
            The masked words of a message.

        Returns
        -------
        int or None
            Its template, a new one if none fits; None if there are too many templates for a new one.
        """
        leaf, path = self._walk(words)
        found = None if leaf is None else self._best(leaf, words)
        if found is None:
            if len(self.templates) >= self._settings.max_templates:
                return None
            found = self.restore(Template(list(words), path))
        template = self.templates[found]
        template.words = [a if a == b else WILDCARD for a, b in zip(template.words, words, strict=True)]
        return found

    def restore(self, template: Template) -> int:
        """Append a template; stored templates, appended in their order, give the same tree again."""
        node = self._root
        for key in template.path:
            node = node.children.setdefault(key, _Node())
        node.templates.append(len(self.templates))
        self.templates.append(template)
        return node.templates[-1]

    def _walk(self, words: Words) -> tuple[_Node | None, Path]:
        """Return the leaf of a message, if there is one, and its path."""
        node: _Node | None = self._root
        path = []
        for depth, key in enumerate(self._keys(words)):
            if node is not None and depth > 1 and key not in node.children:
                full = len(node.children) >= self._settings.max_children
                key = WILDCARD if full else key
            path.append(key)
            node = None if node is None else node.children.get(key)
        return node, tuple(path)

    def _keys(self, words: Words) -> list[str]:
        states = " ".join(filter(None, map(self._states.__getitem__, words)))
        leading = words[: self._settings.depth]
        return [str(len(words)), states, *(WILDCARD if _is_value(word) else word for word in leading)]

    def _best(self, leaf: _Node, words: Words) -> int | None:
        """Return the most similar template of a leaf, the first one of equals; None if none is similar enough."""
        best, most = None, -1.0
        for number in leaf.templates:
            similarity = _similarity(self.templates[number].words, words)
            if similarity > most:
                best, most = number, similarity
        if best is not None and (most >= self._settings.similarity or _covers(self.templates[best].words, words)):
            return best
        return next((number for number in leaf.templates if _covers(self.templates[number].words, words)), None)


def _is_value(word: str) -> bool:
    return WILDCARD in word or (any(map(str.isdigit, word)) and not is_mnemonic(word))


def _similarity(template: Words, words: Words) -> float:
    return sum(map(str.__eq__, template, words)) / len(words) if words else 1.0


def _covers(template: Words, words: Words) -> bool:
    return all(a in (WILDCARD, b) for a, b in zip(template, words, strict=True))
