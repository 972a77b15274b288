"""Continue the state of devices with a model whose messages are counted in other columns."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from netops.features.saved import pack, read
from netops.features.spec import FeatureSpec

Floats = npt.NDArray[np.float64]


class OtherMetrics:
    """Convert values and saved windows; a metric that there was not before is unknown.

    Parameters
    ----------
    before : sequence of str
        The metrics until now.
    spec : FeatureSpec
        Has the metrics from now on.
    """

    def __init__(self, before: Sequence[str], spec: FeatureSpec) -> None:
        self.changed = tuple(before) != spec.metrics
        self._spec, self._before = spec, dataclasses.replace(spec, metrics=tuple(before))
        positions = {name: number for number, name in enumerate(before)}
        self._from = [positions.get(name) for name in spec.metrics]

    def columns(self, values: Floats) -> Floats:
        """Convert an array of n × metrics."""
        unknown = np.full(len(values), np.nan)
        return np.column_stack([unknown if number is None else values[:, number] for number in self._from])

    def row(self, values: Sequence[float]) -> list[float]:
        """Convert the values of one sample."""
        return [float("nan") if number is None else values[number] for number in self._from]

    def indexes(self, present: Sequence[int]) -> list[int]:
        """Convert indexes of metrics; those of metrics that there are no more are omitted."""
        known = set(present)
        return [number for number, before in enumerate(self._from) if before in known]

    def windows(self, state: bytes) -> bytes:
        """Convert the saved windows of a device; baselines begin again.

        Raises
        ------
        NetopsError
            If they are damaged.
        """
        if not self.changed or not state:
            return state
        saved = read(self._before, 0, state)
        return pack(self._spec, saved.history, saved.times, self.columns(saved.values))
