"""Events of devices, such as maintenance and configuration changes, as columns of telemetry."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from netops.json_types import JsonDict
from netops.logs.records import Int8, Int32
from netops.logs.tally import Floats, Found

#: Index of an event of a kind that is not counted on its own.
OTHER = -1
_OTHER_KIND = "other"
OTHERS = f"event_{_OTHER_KIND}_count"


def slug(kind: str) -> str:
    """Return a kind as it is in the name of a column.

    >>> slug("Config change (vty0)")
    'config_change_vty0'
    """
    return re.sub(r"[^a-z0-9]+", "_", kind.casefold()).strip("_")[:64] or "unnamed"


@dataclass(frozen=True)
class EventColumns:
    """Which kinds of events are counted.

    Attributes
    ----------
    kinds : tuple of str
        As they are in the names of columns.
    reach : int
        Nanoseconds: an event counts for the next sample of its device, if that is no later than this after it.
    """

    entry: ClassVar[str] = "events"
    covers: ClassVar[bool] = False
    delay: ClassVar[int] = 0
    interval: ClassVar[int] = 0

    kinds: tuple[str, ...]
    reach: int

    @classmethod
    def frequent(cls, kinds: Iterable[str], limit: int, reach: int) -> "EventColumns":
        """Choose the most frequent kinds, of equally frequent ones the first in the alphabet.

        A kind that is named ``other`` counts with those that are not chosen: its column would have their name.
        """
        counts = Counter(kind for kind in map(slug, kinds) if kind != _OTHER_KIND)
        chosen = sorted(counts, key=lambda kind: (-counts[kind], kind))[:limit]
        return cls(tuple(sorted(chosen)), reach)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns, in order: counts, then seconds since the last event of each kind."""
        counts = (f"event_{kind}_count" for kind in self.kinds)
        return (*counts, OTHERS, *(f"event_{kind}_seconds_since" for kind in self.kinds))

    def find(self, kinds: Iterable[str]) -> Int32:
        """Return the index of each kind, ``OTHER`` if it is not counted on its own."""
        index = {kind: number for number, kind in enumerate(self.kinds)}
        return np.array([index.get(slug(kind), OTHER) for kind in kinds], np.int32)

    def counts(self, found: Found) -> list[Floats]:
        """Return the columns with counts."""
        return [found.count(found.templates == number) for number in (*range(len(self.kinds)), OTHER)]

    def since(self, severities: Int8, templates: Int32) -> list[npt.NDArray[np.bool_]]:
        """Mark the events of each kind."""
        return [templates == number for number in range(len(self.kinds))]

    def kinds_of(self, texts: Sequence[str]) -> list[int]:
        """Return the index of each kind, ``OTHER`` if it is not counted on its own."""
        return self.find(texts).tolist()

    def text_of(self, kind: int) -> str:
        """Return a kind by its index."""
        return _OTHER_KIND if kind == OTHER else self.kinds[kind]

    def to_dict(self) -> JsonDict:
        """Return it as JSON-compatible values."""
        return {"columns": list(self.names), "kinds": list(self.kinds), "reach": self.reach}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "EventColumns":
        """Read what :meth:`to_dict` wrote."""
        return cls(tuple(map(str, values["kinds"])), int(values["reach"]))
