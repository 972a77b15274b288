"""Search spaces: the ranges of a family's hyper-parameters, declared with their defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Between:
    """A range of numbers, both ends included; whole numbers where its ends are.

    Attributes
    ----------
    low, high : int or float
    log : bool
        Whether it is searched by factors: as much between 0.01 and 0.1 as between 0.1 and 1.
    """

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def holding(self, value: float) -> "Between":
        """Widen the range to the configured value, which is tried first."""
        return replace(self, low=min(self.low, value), high=max(self.high, value), log=self.log and value > 0)


@dataclass(frozen=True)
class OneOf:
    """A few values."""

    values: tuple[object, ...]

    def holding(self, value: object) -> "OneOf":
        """Add the configured value."""
        return self if value in self.values else OneOf((*self.values, value))


#: Hyper-parameter → what may be tried of it.
Space = Mapping[str, Between | OneOf]
