"""The scaling of features in compiled code: as ``Scaling.apply`` to the bit, in a tenth of the time for one row."""

import numpy as np
import numpy.typing as npt

from netops.kernels import kernel
from netops.models.scaling import Scaling


def scaled(scaling: Scaling, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Scale n × F raw features."""
    # One type and layout: each is compiled separately.
    features = np.ascontiguousarray(features, np.float64)
    return _scaled(features, scaling.centre, scaling.spread, scaling.limit, scaling.fill)


@kernel(error_model="numpy")
def _scaled(
    features: npt.NDArray[np.float64],
    centre: npt.NDArray[np.float64],
    spread: npt.NDArray[np.float64],
    limit: float,
    fill: bool,
) -> npt.NDArray[np.float32]:
    found = np.empty(features.shape, np.float32)
    for row in range(features.shape[0]):
        for column in range(features.shape[1]):
            value = (features[row, column] - centre[column]) / spread[column]
            if value > limit:
                value = limit
            elif value < -limit:
                value = -limit
            elif value != value and fill:
                value = 0.0
            found[row, column] = np.float32(value)
    return found
