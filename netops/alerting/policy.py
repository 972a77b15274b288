"""The rule that turns risks into alerts."""

import math
from dataclasses import dataclass

from netops.config.durations import MINUTE
from netops.errors import UsageError

#: The value of ``expires_after`` for alerts that do not expire.
ENDLESS = 2**62


@dataclass(frozen=True)
class AlertPolicy:
    """The rule that turns risks into alerts.

    An alert opens when the risk is at or above ``threshold`` for ``for_samples`` consecutive samples. It closes
    when the risk has been below ``close_below * threshold`` for ``cooldown``, and expires ``expire`` after it
    opened; then the next one may open.

    Attributes
    ----------
    threshold : float
        The risk that alerts.
    for_samples : int
        Number of consecutive samples that must reach it.
    cooldown : int
        Nanoseconds.
    close_below : float
        Fraction of the threshold, in (0, 1]. Below 1 it adds hysteresis: a risk between the two levels keeps an
        open alert open but does not open one.
    expire : int or None
        Nanoseconds; None: an alert never expires.
    """

    threshold: float
    for_samples: int = 2
    cooldown: int = 10 * MINUTE
    close_below: float = 1.0
    expire: int | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.threshold):
            raise UsageError(f"alert threshold {self.threshold} is not a finite number")
        if self.for_samples < 1:
            raise UsageError(f"alerting: for: {self.for_samples} is below 1")
        if self.cooldown < 0:
            raise UsageError(f"alerting: cooldown: {self.cooldown} is below 0")
        if self.expire is not None and self.expire <= 0:
            raise UsageError(f"alerting: expire: {self.expire} is not above 0")
        if not 0 < self.close_below <= 1:
            raise UsageError(f"alerting: close_below: {self.close_below} is not in (0, 1]")

    @property
    def close_level(self) -> float:
        """The risk below which an open alert cools down."""
        return self.threshold * self.close_below

    @property
    def expires_after(self) -> int:
        """The age at which an alert expires, in nanoseconds; ``ENDLESS`` if it does not."""
        return ENDLESS if self.expire is None else self.expire
