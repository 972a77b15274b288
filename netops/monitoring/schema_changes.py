"""Detect changes of the telemetry's schema since a model was trained."""

from collections.abc import Iterable
from dataclasses import dataclass

from netops.monitoring.reference import Reference
from netops.telemetry.dataset import Meta

#: Minimum factor by which a sampling interval differs to count as changed.
_INTERVAL = 1.5
#: Minimum fraction of new devices that counts as a change.
_NEW_DEVICES = 0.1


@dataclass(frozen=True)
class Change:
    """A change of the schema.

    Attributes
    ----------
    name : str
        The column, ``interval`` or ``devices``.
    score : float
        Size of the change: a factor, or a fraction in 0..1.
    detected : bool
        Whether it affects the model; otherwise it is informational.
    about : str
        Description.
    """

    name: str
    score: float
    detected: bool
    about: str


def schema_changes(
    reference: Reference, telemetry: Meta, devices: Iterable[str], empty: Iterable[str]
) -> list[Change]:
    """Compare telemetry with the training telemetry of a model.

    Parameters
    ----------
    reference : Reference
    telemetry : Meta
        Metadata of the monitored telemetry.
    devices : iterable of str
        Its devices.
    empty : iterable of str
        Metrics without any value in it.
    """
    changes = [Change(name, 1.0, True, "missing: no sample has a value") for name in empty]
    columns = (*telemetry.metrics, *telemetry.left_out, *telemetry.attributes)
    new = [name for name in dict.fromkeys(columns) if name not in reference.columns]
    changes += [Change(name, 1.0, True, "new: not in the training telemetry") for name in new]
    return (
        changes + _interval(reference.interval_seconds, telemetry.interval_seconds) + _devices(reference, devices)
    )


def _interval(before: float, now: float) -> list[Change]:
    if not before or not now or max(before / now, now / before) <= _INTERVAL:
        return []
    return [Change("interval", now / before, True, f"sampling interval {now:g} s, in training {before:g} s")]


def _devices(reference: Reference, devices: Iterable[str]) -> list[Change]:
    known, present = set(reference.devices), set(devices)
    new, removed = present - known, known - present
    if not new and not removed:
        return []
    share = len(new) / max(1, len(present))
    about = f"{len(new)} new, {len(removed)} missing, {len(present & known)} as in training"
    return [Change("devices", share, share >= _NEW_DEVICES, about)]
