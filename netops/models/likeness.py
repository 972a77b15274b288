"""Compare telemetry with the training data of a model: metrics, their scale, and the sampling interval."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from netops.config.durations import SECOND
from netops.errors import NetopsError, brief
from netops.models.background import QUANTILES
from netops.models.card import ModelCard
from netops.telemetry.checks.clock_incidents import roughly

if TYPE_CHECKING:
    from netops.telemetry.dataset import Dataset

Float64 = npt.NDArray[np.float64]

# Number of values of one file that are examined: enough for a quantile.
_SAMPLE = 2_000
# Bits for bytes are a factor of 8, percent for fractions 100; normal differences are smaller.
_OTHER_UNIT = 6.0
_COMPARED = (0.5, 0.75, 0.95)
_OTHER_PACE = 2.0


@dataclass(frozen=True)
class Likeness:
    """Differences between telemetry and the training data of a model.

    Attributes
    ----------
    missing : tuple of str
        Metrics of the model without any value.
    scales : dict
        Metric → factor by which its values are larger here.
    interval, usual_interval : float
        Seconds between two samples of a device, here and in training.
    """

    missing: tuple[str, ...]
    scales: dict[str, float]
    interval: float
    usual_interval: float

    def lines(self) -> Iterator[str]:
        """Report each difference as a warning, one line each."""
        return (f"warn: {finding}" for finding in self.findings())

    def findings(self) -> Iterator[str]:
        """Describe each difference."""
        if self.missing:
            yield f"{brief(self.missing)}: missing: the model was trained with these metrics"
        for name, factor in self.scales.items():
            times = f"{factor:.3g}" if factor > 1 else f"1/{1 / factor:.3g}"
            yield f"{name}: values are about {times} of those in training: another unit?"
        pace = self.interval / self.usual_interval if self.interval and self.usual_interval else 1.0
        if not 1 / _OTHER_PACE < pace < _OTHER_PACE:
            here, usual = (roughly(round(seconds * SECOND)) for seconds in (self.interval, self.usual_interval))
            yield f"a sample every {here}, in training every {usual}: features and risks differ with it"


def likeness(telemetry: "Dataset", card: ModelCard) -> Likeness:
    """Compare telemetry with the training data of a model.

    Parameters
    ----------
    telemetry : Dataset
        Read by the schema of the model.
    card : ModelCard

    Raises
    ------
    NetopsError
        If no metric of the model has a value: there is nothing to score.
    """
    seen: dict[str, list[Float64]] = {name: [] for name in card.metrics}
    for table in telemetry.tables([name for name in card.metrics if name in telemetry.meta.metrics]):
        for name in table.column_names:
            values = table.column(name).to_numpy()
            known = values[np.isfinite(values)]
            seen[name].append(known[:: max(1, len(known) // _SAMPLE)])
    values = {name: np.concatenate(parts) if parts else np.array([]) for name, parts in seen.items()}
    missing = tuple(name for name, known in values.items() if not len(known))
    if len(missing) == len(values):
        raise NetopsError(f"{telemetry.meta.source}: no metric of the model has a value: {brief(missing)}")
    return differences(values, telemetry.meta.interval_seconds, card)


def differences(values: Mapping[str, Float64], interval: float, card: ModelCard) -> Likeness:
    """Compare values of each metric with those of the training data.

    Parameters
    ----------
    values : mapping
        Metric → known values.
    interval : float
        Seconds between two samples of a device; 0 where that is not known.
    card : ModelCard
    """
    quantiles = card.background.get("quantiles", {})
    factors = {name: _factor(known, quantiles.get(name)) for name, known in values.items() if len(known)}
    return Likeness(
        tuple(name for name, known in values.items() if not len(known)),
        {name: factor for name, factor in factors.items() if factor is not None},
        interval,
        card.interval_seconds,
    )


def _factor(values: Float64, usual: list[float] | None) -> float | None:
    """Return the factor between values and the usual ones; None if they are similar."""
    if usual is None:
        return None
    here = np.quantile(np.abs(values), _COMPARED)
    there = np.abs(np.interp(_COMPARED, QUANTILES, usual))
    both = (here > 0) & (there > 0)
    if both.sum() < 2:
        return None
    ratios = here[both] / there[both]
    if (ratios >= _OTHER_UNIT).all() or (ratios <= 1 / _OTHER_UNIT).all():
        return float(np.median(ratios))
    return None
