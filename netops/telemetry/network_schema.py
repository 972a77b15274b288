"""The schema of a network: the roles of the columns, determined once and stored with its models."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from netops.json_types import JsonDict

if TYPE_CHECKING:
    from netops.telemetry.dataset import Meta


@dataclass(frozen=True)
class NetworkSchema:
    """The schema with which later telemetry of a network is read.

    Attributes
    ----------
    metrics : tuple of str
    counters : tuple of str
        Metrics that arrive as counters and are converted into rates.
    attributes : tuple of str or None
        None: every text column that is constant on each device.
    """

    metrics: tuple[str, ...]
    counters: tuple[str, ...] = ()
    attributes: tuple[str, ...] | None = None

    @classmethod
    def of(cls, meta: "Meta") -> "NetworkSchema":
        """Return the schema of a telemetry dataset."""
        return cls(meta.metrics, tuple(meta.details.get("counters", ())), meta.attributes)

    def to_dict(self) -> JsonDict:
        """Return it as JSON-compatible values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Sequence[str] | None]) -> "NetworkSchema":
        """Read what :meth:`to_dict` wrote."""
        attributes = values.get("attributes")
        attribute_names = None if attributes is None else tuple(attributes)
        return cls(tuple(values["metrics"] or ()), tuple(values.get("counters") or ()), attribute_names)

    def fits(self, meta: "Meta") -> bool:
        """Return whether a dataset already has all metrics of the schema, in the same form."""
        counters = set(meta.details.get("counters", ())) & set(self.metrics)
        return set(self.metrics) <= set(meta.metrics) and counters == set(self.counters) & set(self.metrics)
