"""Convert a block into the samples that a collector receives: times, loss, duplicates and delays."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.kernels import kernel
from netops.simulator import randomness
from netops.simulator.network import Block, Network
from netops.simulator.randomness import derive, key_of, uniform
from netops.simulator.tables import Floats, Ints

#: The time between two samples varies by up to half of the interval if each time varies by a quarter.
_SWING = 0.25
_WHEN, _CLOCK, _LOST, _TWICE, _LATE, _DELAY = range(6)


@dataclass(frozen=True)
class Samples:
    """Samples of a block, sorted by device and time.

    Attributes
    ----------
    positions : int64 array, n
        The index of each sample in the block (devices × ticks, row-major).
    timestamps : int64 array, n
        Time of the device's clock.
    arrivals : int64 array, n
        Time of arrival.
    """

    positions: Ints
    timestamps: Ints
    arrivals: Ints


def samples_of(network: Network, block: Block) -> Samples:
    """Determine which samples of a block arrive, when, and with which timestamps."""
    faults, ticks = network.settings.faults, block.critical.shape[1]
    swing = _SWING if network.settings.timestamps.stochastic_interval else 0.0
    shares = np.array([swing, faults.jitter, faults.missing, faults.duplicates, faults.late, faults.late_by])
    if not shares[:5].any() and (block.present <= block.first).all():
        return _plain(network, block)
    parts = []
    for index, device in enumerate(block.devices.tolist()):
        key = key_of(network.seed, randomness.DEVICE, device, randomness.FAULTS)
        start = network.time_of(block.first)
        begin = int(max(block.first, block.present[index]))
        columns = _device_samples(key, block.first, begin, ticks, start, network.interval, shares)
        parts.append((columns[0] + index * ticks, columns[1], columns[2]))
    return Samples(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _plain(network: Network, block: Block) -> Samples:
    devices, ticks = block.critical.shape
    times = network.time_of(np.arange(block.first, block.first + ticks, dtype=np.int64))
    stamps = np.tile(times, devices)
    return Samples(np.arange(devices * ticks, dtype=np.int64), stamps, stamps)


@kernel(error_model="numpy")
def _device_samples(
    key: np.uint64, first: int, begin: int, ticks: int, start: int, interval: int, shares: Floats
) -> npt.NDArray[np.int64]:
    """Return indices, timestamps and arrivals of one device's samples."""
    when, clock, lost, twice = derive(key, _WHEN), derive(key, _CLOCK), derive(key, _LOST), derive(key, _TWICE)
    late, delay = derive(key, _LATE), derive(key, _DELAY)
    out = np.empty((3, 2 * ticks), np.int64)
    count = 0
    for i in range(begin - first, ticks):
        tick = first + i
        if shares[2] > 0.0 and uniform(lost, tick) < shares[2]:
            continue
        moved = shares[0] * (2.0 * uniform(when, tick) - 1.0)
        time = start + i * interval + int(moved * interval)
        stamp = time + int(shares[1] * interval * (2.0 * uniform(clock, tick) - 1.0))
        arrival = time
        if shares[4] > 0.0 and uniform(late, tick) < shares[4]:
            arrival += 1 + int(shares[5] * uniform(delay, tick))
        for _ in range(2 if shares[3] > 0.0 and uniform(twice, tick) < shares[3] else 1):
            out[0, count], out[1, count], out[2, count] = i, stamp, arrival
            count += 1
    return out[:, :count]
