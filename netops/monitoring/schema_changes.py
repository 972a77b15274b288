"""Changes of the telemetry's schema since a model was trained."""

from collections.abc import Iterable
from dataclasses import dataclass

from netops.monitoring.reference import Reference
from netops.telemetry.dataset import Meta

#: An interval that differs by more than this factor is another one.
_INTERVAL = 1.5
#: Share of devices that are new from which on they are more than the usual coming and going.
_NEW_DEVICES = 0.1


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes
    ----------
    name : str
        The column, ``interval`` or ``devices``.
    score : float
        How much: a factor, or a share in 0..1.
    detected : bool
        Whether it matters to the model; the others are worth knowing.
    about : str
        In words.
    """

    name: str
    score: float
    detected: bool
    about: str


def schema_changes(
    reference: Reference, telemetry: Meta, devices: Iterable[str], empty: Iterable[str]
) -> list[Change]:
    """Compare telemetry with what a model was trained on.

    Parameters
    ----------
    reference : Reference
    telemetry : Meta
        Of the telemetry that is monitored.
    devices : iterable of str
        Its devices.
    empty : iterable of str
        Metrics that are not known for a single sample of it.
    """
    changes = [Change(name, 1.0, True, "gone: no sample has a value") for name in empty]
    columns = (*telemetry.metrics, *telemetry.left_out, *telemetry.attributes)
    fresh = [name for name in dict.fromkeys(columns) if name not in reference.columns]
    changes += [Change(name, 1.0, True, "new: the model does not know it") for name in fresh]
    return (
        changes + _interval(reference.interval_seconds, telemetry.interval_seconds) + _devices(reference, devices)
    )


def _interval(before: float, now: float) -> list[Change]:
    if not before or not now or max(before / now, now / before) <= _INTERVAL:
        return []
    return [Change("interval", now / before, True, f"a sample every {now:g} s, in training every {before:g} s")]


def _devices(reference: Reference, devices: Iterable[str]) -> list[Change]:
    known, present = set(reference.devices), set(devices)
    new, gone = present - known, known - present
    if not new and not gone:
        return []
    share = len(new) / max(1, len(present))
    about = f"{len(new)} new, {len(gone)} gone, {len(present & known)} as in training"
    return [Change("devices", share, share >= _NEW_DEVICES, about)]
