"""A reason in words: what a feature's value is, compared with the usual level."""

import math
from collections.abc import Callable
from typing import NamedTuple

from netops.config.durations import SECOND, format_duration
from netops.features.spec import MISSING, Feature

#: Statistics that are named by another word.
_WORDS = {"min": "minimum", "max": "maximum", "std": "standard deviation", "count": "number of values"}


class Value(NamedTuple):
    """A value of a feature, and what it is compared with.

    Attributes
    ----------
    feature : Feature
    value : float
    level, spread : float
        Mean and standard deviation of the feature in the training data.
    longest : int
        The longest window, in nanoseconds.
    """

    feature: Feature
    value: float
    level: float
    spread: float
    longest: int


def describe(found: Value) -> str:
    """Describe the value of a feature.

    Returns
    -------
    str
        For example "cpu_utilization: mean of 1m is 91.2, 4.2 deviations above the training mean of 43.1".
    """
    feature = found.feature
    if math.isnan(found.value):
        return f"{_subject(feature, feature.statistic)} is unknown"
    share = feature.statistic.startswith("above_")
    return _PHRASES.get("above" if share else feature.statistic, _level)(found)


def _subject(feature: Feature, statistic: str) -> str:
    """Name the statistic of a metric that the sentence is about; "" is the current value."""
    if feature.window is None or not statistic:
        return feature.metric
    word = _WORDS.get(statistic, statistic.replace("_", " "))
    return f"{feature.metric}: {word} of {format_duration(feature.window)}"


def _window(found: Value) -> str:
    return format_duration(found.feature.window or found.longest)


def _side(value: float) -> str:
    return "above" if value >= 0 else "below"


def _deviations(value: float, reference: str) -> str:
    return f"{abs(value):.1f} deviations {_side(value)} {reference}"


def _level(found: Value) -> str:
    subject = _subject(found.feature, found.feature.statistic)
    off = _deviations((found.value - found.level) / found.spread, f"the training mean of {found.level:.4g}")
    return f"{subject} is {found.value:.4g}, {off}"


def _slope(found: Value) -> str:
    verb = "rises" if found.value >= 0 else "falls"
    return f"{found.feature.metric} {verb} by {abs(found.value) * 60:.3g} per minute over {_window(found)}"


def _last_change(found: Value) -> str:
    return f"{found.feature.metric} has not changed for {format_duration(round(found.value) * SECOND)}"


def _missing(found: Value) -> str:
    missing = f"{found.value:.0%} of the values of {_window(found)} are" if found.value else "no value is"
    return f"{found.feature.metric}: {missing} missing"


def _above(found: Value) -> str:
    threshold = found.feature.statistic.removeprefix("above_").removesuffix("_share")
    return f"{found.feature.metric} is above {threshold} in {found.value:.0%} of {_window(found)}"


def _residual(found: Value) -> str:
    return f"{found.feature.metric} is {abs(found.value):.4g} {_side(found.value)} its mean of {_window(found)}"


def _shift(found: Value) -> str:
    reference = f"that of {format_duration(found.longest)}"
    return f"{_subject(found.feature, 'mean')} is {abs(found.value):.4g} {_side(found.value)} {reference}"


def _relative(statistic: str, reference: str) -> Callable[[Value], str]:
    def phrase(found: Value) -> str:
        past = reference.format(longest=format_duration(found.longest))
        return f"{_subject(found.feature, statistic)} is {_deviations(found.value, past)}"

    return phrase


def _ratio(reference: str) -> Callable[[Value], str]:
    def phrase(found: Value) -> str:
        past = reference.format(longest=format_duration(found.longest))
        return (
            f"{found.feature.metric} varies {math.exp(found.value):.3g} times as much in {_window(found)} as {past}"
        )

    return phrase


_PAST, _USUAL = "its mean of {longest}", "its usual level"
#: Statistic → its sentence; others are compared with the training data.
_PHRASES: dict[str, Callable[[Value], str]] = {
    "slope": _slope,
    "last_change": _last_change,
    MISSING: _missing,
    "above": _above,
    "residual": _residual,
    "shift": _shift,
    "deviation": _relative("mean", _PAST),
    "max_deviation": _relative("max", _PAST),
    "min_deviation": _relative("min", _PAST),
    "std_ratio": _ratio("in {longest}"),
    "baseline_deviation": _relative("mean", _USUAL),
    "baseline_std_ratio": _ratio("usual"),
}
