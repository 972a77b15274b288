"""The declaration of features: statistics over windows of metrics, and the names of their columns."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt

from netops.config.durations import DAY, SECOND, format_duration
from netops.errors import UsageError, closest
from netops.features.statistics.registry import WINDOW_STATISTICS

#: Statistics of one window without a parameter; ``above_<threshold>_share`` has one.
STATISTICS = (*WINDOW_STATISTICS, "sum", "slope", "last_change")
#: Relative to the longest window: statistics of shorter windows, ``deviation`` of the current value too.
RELATIVE = ("residual", "shift", "deviation", "max_deviation", "min_deviation", "std_ratio")
#: Relative to the exponentially weighted baseline of the device.
BASELINE = ("baseline_deviation", "baseline_std_ratio")
DEFAULT_STATISTICS = ("mean", "min", "max", "std")
#: Included for every window.
MISSING = "missing"

#: Times inside a window are exact in float64 up to here (2^53 ns).
LONGEST_WINDOW = 100 * DAY

_ABOVE = re.compile(r"above_(-?\d+(?:\.\d+)?(?:e-?\d+)?)_share")


class SpecValues(TypedDict):
    """A feature spec as JSON, windows in nanoseconds."""

    metrics: list[str]
    windows: list[int]
    statistics: list[str]
    own: NotRequired[dict[str, list[str]]]


class Feature(NamedTuple):
    """A feature: a statistic of a metric over a window.

    Attributes
    ----------
    metric : str
    statistic : str
        "" is the current value.
    window : int or None
        Nanoseconds; None if only the current value is used.
    """

    metric: str
    statistic: str = ""
    window: int | None = None

    @property
    def name(self) -> str:
        """The name of the column."""
        window = () if self.window is None else (format_duration(self.window),)
        return "_".join((self.metric, *filter(None, (self.statistic,)), *window))


@dataclass(frozen=True)
class FeatureSpec:
    """Declaration of the features of a sample and its history.

    At time t the window of length w is (t - w, t]. Statistics are over the valid values in it; a window without
    one gives NaN (``count`` 0). A value that is NaN, infinite or beyond 1e150 is missing.

    Attributes
    ----------
    metrics : tuple of str
        The metrics, in the order of their columns.
    windows : tuple of int
        Lengths of the windows in nanoseconds.
    statistics : tuple of str
        ``mean``, ``min``, ``max``, ``std`` (ddof 1; 0 for a single value), ``sum``, ``count`` (of valid values),
        ``range`` (max - min), ``slope`` (least squares, per second; 0 for a single value), ``last_change``
        (seconds since the value changed; if it never changed, since the first valid value of the window),
        ``above_<threshold>_share`` (fraction of the valid values above a threshold). Of the windows shorter than
        the longest one L, relative to it: ``shift`` (mean - mean of L), ``deviation``, ``max_deviation`` and
        ``min_deviation`` ((mean, max or min - mean of L) / std of L, within ±20), ``std_ratio`` (logarithm of
        std / std of L, from -6.9); ``deviation`` is of the current value, too. They are unknown (NaN) until the
        samples cover L (nine tenths of it). ``residual`` is the current value - mean of a shorter window.
        ``baseline_deviation`` ((current value or mean of any window - m) / s) and ``baseline_std_ratio`` (logarithm
        of std of a shorter window / s) are relative to the device's exponentially weighted mean m and standard
        deviation s before the sample, whose weights halve in 4 L (see :mod:`netops.features.baseline`). They are
        unknown until these are of as many values as L has.
    own : mapping
        Metrics with other statistics than these: metric → its statistics. Of such a metric, the missing fraction is
        no feature.

    Raises
    ------
    UsageError
        For an unknown statistic, an invalid window, or columns with the same name.
    """

    metrics: tuple[str, ...]
    windows: tuple[int, ...]
    statistics: tuple[str, ...] = DEFAULT_STATISTICS
    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name in ("metrics", "windows", "statistics"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "own", {metric: tuple(names) for metric, names in self.own.items()})
        for name in ("metrics", "windows"):
            if not getattr(self, name):
                raise UsageError(f"features need at least one of {name}")
        for window in self.windows:
            if not 0 < window <= LONGEST_WINDOW:
                raise UsageError(f"window of {window} ns: must be above zero and at most {LONGEST_WINDOW // DAY}d")
        for statistic in self.computed:
            _check_statistic(statistic)
        if foreign := self.own.keys() - set(self.metrics):
            raise UsageError(f"statistics of metric '{min(foreign)}', which is none of the metrics")
        names = self.names
        if len(set(names)) < len(names):
            double = next(name for index, name in enumerate(names) if name in names[:index])
            raise UsageError(f"two features would be named '{double}'; rename a metric, or list each window once")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The columns in order: per metric value, statistics per window and missing fraction, relative ones."""
        return tuple(filter(self._is_wanted, self._computed_features()))

    def _computed_features(self) -> Iterator[Feature]:
        """Yield what the kernel computes: all statistics of all metrics."""
        for metric in self.metrics:
            yield Feature(metric)
            for window in self.windows:
                yield from (Feature(metric, statistic, window) for statistic in (*self.plain, MISSING))
            for statistic, shorter in self.relative:
                yield Feature(metric, statistic, shorter)

    def _is_wanted(self, feature: Feature) -> bool:
        statistics = self.own.get(feature.metric)
        wanted = (*self.statistics, MISSING) if statistics is None else statistics
        return not feature.statistic or feature.statistic in wanted

    @cached_property
    def columns(self) -> npt.NDArray[np.int64] | None:
        """The features among the columns that the kernel computes; None if they are all of them."""
        wanted = np.fromiter(map(self._is_wanted, self._computed_features()), bool)
        return None if wanted.all() else np.flatnonzero(wanted)

    @cached_property
    def width(self) -> int:
        """Number of columns that the kernel computes."""
        return sum(1 for _ in self._computed_features())

    @cached_property
    def computed(self) -> tuple[str, ...]:
        """The statistics of all metrics together."""
        own = (statistic for names in self.own.values() for statistic in names)
        return tuple(dict.fromkeys((*self.statistics, *own)))

    def feature(self, name: str) -> Feature:
        """Return the feature of a column."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Feature]:
        return dict(zip(self.names, self.features, strict=True))

    @cached_property
    def plain(self) -> tuple[str, ...]:
        """The statistics of every window alone."""
        return tuple(name for name in self.computed if name not in (*RELATIVE, *BASELINE))

    @cached_property
    def relative(self) -> tuple[tuple[str, int | None], ...]:
        """The relative statistics of a metric, in order: name and window (None: the current value)."""
        shorter = tuple(window for window in self.windows if window < self.longest_window)
        windows = {"deviation": (None, *shorter), "baseline_deviation": (None, *self.windows)}
        return tuple(
            (name, window)
            for name in self.computed
            if name in (*RELATIVE, *BASELINE)
            for window in windows.get(name, shorter)
        )

    @property
    def has_baseline(self) -> bool:
        """Whether a statistic depends on all samples of a device, not only on those in its windows."""
        return any(name in BASELINE for name in self.computed)

    @cached_property
    def thresholds(self) -> tuple[float, ...]:
        """The thresholds of the ``above_<threshold>_share`` statistics, in their order."""
        return tuple(float(m[1]) for m in map(_ABOVE.fullmatch, self.computed) if m)

    @cached_property
    def fingerprint(self) -> bytes:
        """16 bytes that differ between specs whose raw samples differ, that is, in their metrics."""
        return hashlib.blake2b(json.dumps(self.metrics).encode(), digest_size=16).digest()

    @property
    def longest_window(self) -> int:
        """The longest window, in nanoseconds."""
        return max(self.windows)

    def to_dict(self) -> SpecValues:
        """Write as plain lists, windows in nanoseconds."""
        found = SpecValues(metrics=list(self.metrics), windows=list(self.windows), statistics=list(self.statistics))
        if self.own:
            found["own"] = {metric: list(names) for metric, names in self.own.items()}
        return found

    @classmethod
    def from_dict(cls, raw: SpecValues) -> "FeatureSpec":
        """Read what :meth:`to_dict` wrote."""
        own = {metric: tuple(names) for metric, names in raw.get("own", {}).items()}
        return cls(tuple(raw["metrics"]), tuple(map(int, raw["windows"])), tuple(raw["statistics"]), own)


def _check_statistic(name: str) -> None:
    if name == MISSING:
        raise UsageError(f"statistic '{MISSING}' is included for every window; remove it from the list")
    known = (*STATISTICS, *RELATIVE, *BASELINE, "above_<threshold>_share")
    if name not in known[:-1] and not _ABOVE.fullmatch(name):
        raise UsageError(f"unknown statistic '{name}'{closest(name, known)}")


def default_windows(interval: int, history: int) -> tuple[int, ...]:
    """Choose default windows for telemetry.

    Parameters
    ----------
    interval : int
        Median time between two samples of a device, in ns.
    history : int
        Time from the first to the last sample, in ns.

    Returns
    -------
    tuple of int
        12 and 720 intervals (1m and 1h at 5 s) in whole seconds, none longer than a fifth of the history; one
        window if both are equal.
    """
    longest = max(history // 5 // SECOND, 1)
    seconds = (min(max(round(samples * interval / SECOND), 1), longest) for samples in (12, 720))
    return tuple(dict.fromkeys(int(s) * SECOND for s in seconds))
