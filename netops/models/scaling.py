"""Scaling of features: in float64 to the end, the cast to float32 last.

A counter near 1e9 has no decimals left in float32, so features are centred and divided in float64 first. The same
steps are part of the ONNX file, which therefore takes raw features.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.models.card_sections import ScalingValues
from netops.models.onnx_graph import Graph

#: Rows from which centre and spread are computed; more would not change them.
MEASURED_ROWS = 20_000
#: Values beyond these quantiles are excluded from centre and spread, so that outliers do not dominate.
TAIL_PERCENT = 0.5


@dataclass(frozen=True)
class Scaling:
    """Centre and spread of F features.

    Attributes
    ----------
    centre, spread : float64 arrays, F
        Spread is above zero.
    limit : float
        Scaled values are clipped to ± limit, infinite ones too.
    fill : bool
        Whether NaN becomes 0 (the centre); otherwise it stays.
    """

    centre: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    limit: float
    fill: bool

    @classmethod
    def fit(cls, features: npt.NDArray[np.float64], limit: float, fill: bool) -> "Scaling":
        """Measure centre and spread of n × F training features, without NaN and infinite values."""
        step = max(1, len(features) // MEASURED_ROWS)
        moments = [_moments(features[::step, column]) for column in range(features.shape[1])]
        centre, spread = np.array(moments, np.float64).reshape(-1, 2).T
        return cls(np.ascontiguousarray(centre), np.ascontiguousarray(spread), limit, fill)

    def apply(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Scale n × F raw features."""
        with np.errstate(over="ignore"):
            scaled = features - self.centre
            scaled /= self.spread
        np.clip(scaled, -self.limit, self.limit, out=scaled)
        if self.fill:
            scaled[np.isnan(scaled)] = 0.0
        return scaled.astype(np.float32)

    def build(self, graph: Graph, features: str) -> str:
        """Add the same steps to an ONNX graph; name their output, n × F float32."""
        from onnx import TensorProto

        centred = graph.add("Sub", features, graph.constant("centre", self.centre))
        scaled = graph.add("Div", centred, graph.constant("spread", self.spread))
        low, high = (graph.constant(n, np.array(v)) for n, v in (("low", -self.limit), ("high", self.limit)))
        clipped = graph.add("Clip", scaled, low, high)
        # Clip is undefined for NaN: it is restored, or filled, from the unclipped value.
        missing = graph.add("IsNaN", scaled)
        instead = graph.constant("filling", np.array(0.0 if self.fill else np.nan))
        return graph.add("Cast", graph.add("Where", missing, instead, clipped), to=TensorProto.FLOAT)

    def to_dict(self) -> ScalingValues:
        """Describe the scaling for the model card."""
        return {
            "centre": self.centre.tolist(),
            "spread": self.spread.tolist(),
            "limit": self.limit,
            "fill": self.fill,
        }

    @classmethod
    def from_dict(cls, values: ScalingValues) -> "Scaling":
        """Read what :meth:`to_dict` gave."""
        return cls(np.array(values["centre"]), np.array(values["spread"]), values["limit"], values["fill"])


def _moments(column: npt.NDArray[np.float64]) -> tuple[float, float]:
    known = column[np.isfinite(column)]
    if known.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(known, [TAIL_PERCENT, 100 - TAIL_PERCENT])
    core = np.clip(known, low, high) if high > low else known
    # Halving first keeps the sum of squares of values up to 1e300 from overflowing the mean.
    centre = float(np.mean(core / 2) * 2)
    with np.errstate(over="ignore"):
        spread = float(np.std(core - centre))
    return centre, spread if 0 < spread < np.inf else max(1.0, float(np.abs(known - centre).max()))
