"""The ``features`` section of the configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netops.config.binding import Duration, option
from netops.features.spec import BASELINE, DEFAULT_STATISTICS, RELATIVE, STATISTICS, FeatureSpec, default_windows


@dataclass(frozen=True)
class FeatureSettings:
    """Windows and statistics of the feature vector."""

    windows: tuple[Duration, ...] | None = option(
        None, help="lengths of the sliding windows, for example [1m, 1h]; null: 12 and 720 sampling intervals"
    )
    statistics: tuple[str, ...] = option(
        lambda: (*DEFAULT_STATISTICS, "slope"),
        help=f"statistics of each window: {', '.join(STATISTICS)}, above_<threshold>_share; "
        f"relative to the longest window: {', '.join(RELATIVE)}; to the baseline: {', '.join(BASELINE)}",
    )

    def spec(
        self,
        metrics: Sequence[str],
        interval: int,
        history: int,
        own: Mapping[str, tuple[str, ...]] | None = None,
    ) -> FeatureSpec:
        """Create the feature spec for some telemetry.

        Parameters
        ----------
        metrics : sequence of str
            The metrics of the telemetry.
        interval, history : int
            Its median sampling interval and its length in ns, for :func:`~netops.features.spec.default_windows`
            if no windows are configured.
        own : mapping, optional
            Metrics with other statistics: metric → its statistics.

        Raises
        ------
        UsageError
            For an unknown statistic or names that collide.
        """
        windows = self.windows or default_windows(interval, history)
        return FeatureSpec(tuple(metrics), windows, self.statistics, own or {})
