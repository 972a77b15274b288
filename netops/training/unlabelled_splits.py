"""Splits of telemetry without labels: by time or by device, whatever happened in it."""

import numpy as np
import numpy.typing as npt

from netops.alerting.sequences import Sequences
from netops.errors import NetopsError
from netops.training.splits import FRACTIONS, NONE, TEST, Split, hashed


def unlabelled_split(
    kind: str, sequences: Sequences, *, fractions: tuple[float, ...] = FRACTIONS, seed: int = 0
) -> Split:
    """Split telemetry by time or by device, whatever happened in it.

    Parameters
    ----------
    kind : str
        ``time`` or ``device``.
    sequences : Sequences
    fractions : tuple of float
        Of train, validation and test, in samples or devices; two if the test telemetry is separate.
    seed : int
        Of a device split.

    Raises
    ------
    NetopsError
        If there are too few devices or timestamps.
    """
    edges = np.cumsum(fractions)[:-1] / sum(fractions)
    if kind == "device":
        return _by_device(sequences, edges, seed)
    times = np.sort(sequences.timestamps)
    boundaries = tuple(int(times[int(edge * len(times))]) for edge in edges)
    if len({int(times[0]), *boundaries}) <= len(boundaries):
        raise NetopsError("no split by time: the telemetry has too few different times; give longer telemetry")
    of_row = np.searchsorted(np.asarray(boundaries), sequences.timestamps, side="right").astype(np.int8)
    return Split(of_row, "time", boundaries)


def _by_device(sequences: Sequences, edges: npt.NDArray[np.float64], seed: int) -> Split:
    """Order the devices by a hash of their names, and cut the order; each group gets at least one."""
    names = np.asarray(sequences.devices, dtype=object)
    present = np.flatnonzero(np.diff(sequences.offsets))
    count = len(edges) + 1
    if len(present) < count:
        raise NetopsError(f"no split by device: {len(present)} devices are too few; --split time works")
    order = sorted(present.tolist(), key=lambda device: hashed(seed, names[device]))
    # Each cut leaves at least one device on both sides of it.
    first = np.arange(1, count)
    cuts = np.clip(np.round(edges * len(order)).astype(int), first, len(order) - count + first)
    of_device = np.full(len(names), NONE, dtype=np.int8)
    for group, devices in enumerate(np.split(np.array(order), cuts)):
        of_device[devices] = group
    of_row = of_device[sequences.device_of_row]
    return Split(of_row, "device", devices=tuple(tuple(names[of_device == group]) for group in range(count)))


def whole_unlabelled_test(sequences: Sequences) -> Split:
    """Take separate telemetry as the test split, whatever happened in it."""
    return Split(np.full(len(sequences), TEST, dtype=np.int8), "test", devices=((), (), sequences.devices))
