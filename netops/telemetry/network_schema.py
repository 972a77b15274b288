"""The schema of a network: what the columns of all its telemetry are, decided once and kept with its models."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from netops.telemetry.dataset import Meta


@dataclass(frozen=True)
class NetworkSchema:
    """What later telemetry of a network is read by.

    Attributes
    ----------
    metrics : tuple of str
    counters : tuple of str
        Those metrics that arrive as counters and are turned into rates.
    attributes : tuple of str or None
        None: every text column that stays the same on each device.
    """

    metrics: tuple[str, ...]
    counters: tuple[str, ...] = ()
    attributes: tuple[str, ...] | None = None

    @classmethod
    def of(cls, meta: Meta) -> "NetworkSchema":
        """Take the schema of a dataset of telemetry."""
        return cls(meta.metrics, tuple(meta.details.get("counters", ())), meta.attributes)

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON takes it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "NetworkSchema":
        """Read what :meth:`to_dict` wrote."""
        attributes = values.get("attributes")
        kept = None if attributes is None else tuple(attributes)
        return cls(tuple(values["metrics"]), tuple(values.get("counters", ())), kept)

    def fits(self, meta: Meta) -> bool:
        """Tell whether a dataset has all of its metrics already, in the same form."""
        counters = set(meta.details.get("counters", ())) & set(self.metrics)
        return set(self.metrics) <= set(meta.metrics) and counters == set(self.counters) & set(self.metrics)
