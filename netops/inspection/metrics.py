"""Summary statistics of the metrics of a dataset."""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from netops.telemetry.dataset import Dataset

# Maximum number of values per file that the median is computed from.
_SAMPLE = 5_000


@dataclass(frozen=True)
class MetricFacts:
    """Summary of one metric.

    Attributes
    ----------
    name : str
    known : float
        Fraction of the samples with a value.
    minimum, median, maximum : float
    counter : bool
        Whether it is a counter, converted to a rate per second.
    """

    name: str
    known: float
    minimum: float
    median: float
    maximum: float
    counter: bool

    def to_dict(self) -> dict[str, object]:
        """Return the summary as plain values for JSON."""
        return asdict(self)


def metric_facts(dataset: Dataset) -> list[MetricFacts]:
    """Summarise each metric of a dataset; the median is estimated from evenly spaced samples."""
    names, counters = list(dataset.meta.metrics), set(dataset.meta.details.get("counters", ()))
    known, low, high = np.zeros(len(names)), np.full(len(names), np.inf), np.full(len(names), -np.inf)
    some: list[list[npt.NDArray[np.float64]]] = [[] for _ in names]
    for table in dataset.tables(names):
        for index, name in enumerate(names):
            values = table.column(name).to_numpy()
            values = values[np.isfinite(values)]
            if len(values):
                known[index] += len(values)
                low[index], high[index] = min(low[index], values.min()), max(high[index], values.max())
                some[index].append(values[:: max(1, len(values) // _SAMPLE)])
    return [
        MetricFacts(
            name,
            float(known[index]) / max(1, dataset.meta.samples),
            float(low[index]),
            float(np.median(np.concatenate(some[index]))) if some[index] else float("nan"),
            float(high[index]),
            name in counters,
        )
        for index, name in enumerate(names)
    ]
