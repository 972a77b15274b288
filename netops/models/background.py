"""Distribution of the features in the training split: the reference of explanations and drift."""

import numpy as np
import numpy.typing as npt

from netops.models.card_sections import Background

#: Probabilities of the stored quantiles of each feature.
QUANTILES = tuple(round(share, 3) for share in np.linspace(0, 1, 21))
_ROWS = 5_000


def background_of(
    features: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], names: tuple[str, ...], seed: int
) -> Background:
    """Describe n × F training features as the telemetry has them, thinned rows counted by their weights.

    Returns
    -------
    dict
        ``quantiles``: feature → values at :data:`QUANTILES`; ``missing``: feature → fraction of NaN.
    """
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.choice(len(features), min(_ROWS, 4 * len(features)), p=weights / weights.sum()))
    sample = np.asarray(features[rows])
    known = [column[np.isfinite(column)] for column in sample.T]
    return {
        "shares": list(QUANTILES),
        "quantiles": {
            name: np.quantile(values, QUANTILES).tolist() if values.size else None
            for name, values in zip(names, known, strict=True)
        },
        "missing": {name: 1 - values.size / len(sample) for name, values in zip(names, known, strict=True)},
    }
