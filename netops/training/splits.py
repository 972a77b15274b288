"""Train, validation and test: split by time or by device, so that each can show something."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.alerting.sequences import Flags, Incidents, Integers, Sequences
from netops.config.durations import DAY, HOUR, MINUTE, SECOND, format_duration
from netops.errors import NetopsError

NONE, TRAIN, VALIDATION, TEST = range(-1, 3)
PARTS = ("train", "validation", "test")
SHARES = (0.6, 0.2, 0.2)

#: Incidents that a part of a time split needs. With one, a threshold or a figure rests on a single event.
MINIMUM_INCIDENTS = 2
_CANDIDATES = 200

Labels = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Split:
    """Which sample serves what.

    Attributes
    ----------
    part : int8 array, rows
        ``TRAIN``, ``VALIDATION``, ``TEST``, or ``NONE`` for a sample that is dropped: its next horizon is not
        observed, or reaches over a boundary. Samples inside an incident have a part (and no label).
    kind : str
        ``time``, ``device`` or ``test``.
    boundaries : tuple of int
        Where validation and test begin, nanoseconds since the epoch; empty for a device split.
    devices : tuple of tuple of str
        The devices of each part; empty for a time split.
    """

    part: npt.NDArray[np.int8]
    kind: str
    boundaries: tuple[int, ...] = ()
    devices: tuple[tuple[str, ...], ...] = ()

    def rows(self, part: int) -> Flags:
        """Mark the rows of a part."""
        return self.part == part


@dataclass(frozen=True)
class _Facts:
    """What the splits look at."""

    sequences: Sequences
    labels: Labels
    incidents: Incidents
    horizon: int

    def useful(self) -> Flags:
        """Mark the incidents that can be warned of."""
        return self.incidents.observed(self.sequences, self.horizon)

    def failing(self) -> Integers:
        """List the devices with an incident that can be warned of."""
        return np.unique(self.incidents.device[self.useful()])


def split(
    kind: str,
    sequences: Sequences,
    labels: Labels,
    incidents: Incidents,
    horizon: int,
    *,
    shares: tuple[float, ...] = SHARES,
    seed: int = 0,
    minimum_incidents: int = MINIMUM_INCIDENTS,
) -> Split:
    """Split by time or by device.

    Parameters
    ----------
    kind : str
        ``time`` or ``device``.
    sequences, labels, incidents
        All telemetry, its labels (``label_rows``) and what happened to it.
    horizon : int
        Nanoseconds.
    shares : tuple of float
        Of train, validation and test; two of them where test telemetry is given apart.
    seed : int
        Of a device split.
    minimum_incidents : int
        Incidents apart in time that each part of a time split must hold.

    Raises
    ------
    NetopsError
        If no such split is informative; names the reason and an alternative.
    """
    facts = _Facts(sequences, labels, incidents, horizon)
    if kind == "device":
        return _by_device(facts, shares, seed)
    return _by_time(facts, shares, minimum_incidents)


def dropped(labels: Labels, inside: Flags) -> Flags:
    """Mark the samples that no part takes: healthy, but their next horizon is not observed."""
    return (labels < 0) & ~inside


# By time ----------------------------------------------------------------------------------------------------


def _by_time(facts: _Facts, shares: tuple[float, ...], minimum: int) -> Split:
    boundaries = _boundaries(facts, shares, minimum)
    if boundaries is None:
        raise NetopsError(_why_not_by_time(facts, len(shares), minimum))
    times = facts.sequences.timestamps
    part = np.searchsorted(np.asarray(boundaries), times, side="right").astype(np.int8)
    for boundary in boundaries:
        # A label looks at (t, t + horizon]: before a boundary it would see the part behind it.
        part[(times < boundary) & (times + facts.horizon >= boundary)] = NONE
    part[dropped(facts.labels, facts.incidents.inside(facts.sequences))] = NONE
    return Split(part, "time", boundaries)


def _boundaries(facts: _Facts, shares: tuple[float, ...], minimum: int) -> tuple[int, ...] | None:
    """Find the boundaries closest to the shares wanted, of samples and incidents, that leave each part enough."""
    times = np.sort(facts.sequences.timestamps)
    useful = facts.useful()
    if not useful.any():
        return None
    starts = np.sort(facts.incidents.start[useful])
    indices = np.unique(times[np.linspace(0, len(times) - 1, _CANDIDATES).astype(np.int64)])
    edges = np.append(indices, times[-1] + 1)
    enough = _enough_from(edges, facts.incidents.start[useful], facts.incidents.end[useful], facts.horizon, minimum)
    rows = np.searchsorted(times, edges) / len(times)
    counts = np.searchsorted(starts, edges) / len(starts)
    return _cheapest(edges, enough, rows, counts, shares)


def _cheapest(
    edges: Integers, enough: Integers, rows: npt.ArrayLike, counts: npt.ArrayLike, shares: tuple[float, ...]
) -> tuple[int, ...] | None:
    """Dynamic programming over the edges: the best way to end each part at each edge."""
    both = np.stack([np.asarray(rows), np.asarray(counts)])
    spans = both[:, None, :] - both[:, :, None]
    possible = edges[None, :] >= enough[:, None]
    first, *others = (np.where(possible, np.abs(spans - share).sum(axis=0), np.inf) for share in shares)
    best, came_from = first[0], []
    for cost in others:
        total = best[:, None] + cost
        came_from.append(total.argmin(axis=0))
        best = total.min(axis=0)
    if not np.isfinite(best[-1]):
        return None
    path, index = [], -1
    for back in reversed(came_from):
        index = int(back[index])
        path.append(int(edges[index]))
    return tuple(reversed(path))


def _enough_from(edges: Integers, start: Integers, end: Integers, horizon: int, minimum: int) -> Integers:
    """Say, for a part that begins at each edge, when it has seen ``minimum`` incidents that are apart in time.

    Incidents that overlap, or start within the horizon of each other, on whichever devices, may be one event seen
    twice; as many as possible that are apart are taken, greedily by their end.
    """
    never = np.iinfo(np.int64).max
    order = np.argsort(start)
    begins = start[order] - horizon
    soonest = np.append(np.minimum.accumulate(end[order][::-1])[::-1], never)
    at = edges.astype(np.int64)
    for _ in range(minimum):
        at = soonest[np.searchsorted(begins, at)]
    return at


def separate_incidents(incidents: Incidents, useful: Flags, horizon: int) -> int:
    """Count the incidents that are apart in time: neither overlapping nor within the horizon of each other."""
    start, end = incidents.start[useful], incidents.end[useful]
    count, at = 0, np.iinfo(np.int64).min
    for index in np.argsort(end):
        if start[index] - horizon >= at:
            count, at = count + 1, end[index]
    return count


def _why_not_by_time(facts: _Facts, parts: int, minimum: int) -> str:
    useful = facts.useful()
    found, apart = int(useful.sum()), separate_incidents(facts.incidents, useful, facts.horizon)
    history = facts.sequences.timestamps.max() - facts.sequences.timestamps.min()
    what = f"{found} incidents" if found == apart else f"{found} incidents, of which only {apart} are apart in time"
    crowded = ", too close together" if apart >= parts * minimum else ""
    return (
        f"no split by time: each of {_named(parts)} needs at least {minimum} incidents further apart than the "
        f"horizon, {format_duration(facts.horizon)} ({parts * minimum} in all), and {_whole(int(history))} of "
        f"history hold {what}{crowded}; {_instead(facts, parts, 'time')}"
    )


# By device --------------------------------------------------------------------------------------------------


def _by_device(facts: _Facts, shares: tuple[float, ...], seed: int) -> Split:
    failing = facts.failing()
    if len(failing) < len(shares):
        raise NetopsError(_why_not_by_device(facts, len(shares), len(failing)))
    names = np.asarray(facts.sequences.devices, dtype=object)
    present = np.flatnonzero(np.diff(facts.sequences.offsets))
    of_device = np.full(len(names), NONE, dtype=np.int8)
    edges = np.cumsum(shares)[:-1] / sum(shares)
    of_device[present] = np.searchsorted(edges, [_hash(seed, names[device]) for device in present], side="right")
    incidents = np.bincount(facts.incidents.device[facts.useful()], minlength=len(names))
    for enough in (1, MINIMUM_INCIDENTS):
        _fill(of_device, incidents, enough, len(shares), lambda part, device: _hash(seed, names[device], part))
    part = of_device[facts.sequences.device_of_row]
    part[dropped(facts.labels, facts.incidents.inside(facts.sequences))] = NONE
    return Split(part, "device", devices=tuple(tuple(names[of_device == p]) for p in range(len(shares))))


def _hash(*what: object) -> float:
    """Hash values into [0, 1). A device keeps its place when others come and go, which a draw would not give it."""
    digest = hashlib.blake2b("\x1f".join(map(str, what)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _fill(
    of_device: npt.NDArray[np.int8],
    incidents: Integers,
    enough: int,
    parts: int,
    rank: Callable[[int, int], float],
) -> None:
    """Move failing devices to parts that hold fewer incidents than enough, where others can spare them."""
    for part in (*range(1, parts), TRAIN):
        while incidents[of_device == part].sum() < enough:
            held = np.array([incidents[of_device == other].sum() for other in range(parts)])
            spare = (incidents > 0) & (of_device != part) & (of_device != NONE)
            spare &= held[of_device] - incidents >= enough
            if not spare.any():
                return
            of_device[min(np.flatnonzero(spare), key=lambda device: rank(part, int(device)))] = part


def _why_not_by_device(facts: _Facts, parts: int, failing: int) -> str:
    who = "no device has" if failing == 0 else f"only {failing} device{'s have' if failing > 1 else ' has'}"
    return (
        f"no split by device: each of {_named(parts)} needs a device with an incident, and {who} "
        f"one that can be warned of; {_instead(facts, parts, 'device')}"
    )


# Separate test telemetry ------------------------------------------------------------------------------------


def whole_test(sequences: Sequences, labels: Labels, incidents: Incidents, horizon: int) -> Split:
    """Take separate telemetry as the test part.

    Raises
    ------
    NetopsError
        If it holds no incident that can be warned of.
    """
    if not incidents.observed(sequences, horizon).any() or not (labels == 1).any():
        raise NetopsError(
            "no incident in the test part: the test telemetry holds none that starts within "
            f"{format_duration(horizon)} of a healthy sample; give --test-incidents, or other telemetry to --test"
        )
    part = np.full(len(sequences), TEST, dtype=np.int8)
    part[dropped(labels, incidents.inside(sequences))] = NONE
    return Split(part, "test", devices=((), (), sequences.devices))


# Words ------------------------------------------------------------------------------------------------------


def _named(parts: int) -> str:
    names = PARTS[:parts]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _instead(facts: _Facts, parts: int, refused: str) -> str:
    """Name what would work."""
    if refused == "time" and len(facts.failing()) >= parts:
        return f"--split device works ({len(facts.failing())} devices have incidents)"
    if refused == "device" and _boundaries(facts, SHARES[:parts], MINIMUM_INCIDENTS) is not None:
        return "--split time works"
    if parts == len(PARTS):
        return "give longer telemetry, or test telemetry of its own by --test"
    return "give longer telemetry with more incidents"


def _whole(nanoseconds: int) -> str:
    for size, unit in ((DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes")):
        if nanoseconds >= 2 * size:
            return f"{round(nanoseconds / size)} {unit}"
    return f"{nanoseconds // SECOND} seconds"
