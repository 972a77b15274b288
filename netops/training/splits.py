"""Train, validation and test: split by time or by device, so that each can show something."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.alerting.sequences import Flags, Incidents, Integers, Sequences
from netops.config.durations import DAY, HOUR, MINUTE, SECOND, format_duration
from netops.errors import FewLabelsError, NetopsError

NONE, TRAIN, VALIDATION, TEST = range(-1, 3)
SPLITS = ("train", "validation", "test")
FRACTIONS = (0.6, 0.2, 0.2)

#: Minimum incidents per split of a time split. With one, a threshold or a metric would depend on a single event.
MINIMUM_INCIDENTS = 2
#: Maximum folds of a cross-fitted split; fewer incidents allow fewer.
FOLDS = 4
_CANDIDATES = 200

Labels = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Split:
    """Which sample serves what.

    Attributes
    ----------
    of_row : int8 array, rows
        ``TRAIN``, ``VALIDATION``, ``TEST``, or ``NONE`` for a sample that is dropped: its next horizon is not
        observed, or reaches over a boundary. Samples inside an incident belong to a split but have no label.
    kind : str
        ``time``, ``device`` or ``test``.
    boundaries : tuple of int
        Where validation and test begin, nanoseconds since the epoch; empty for a device split.
    devices : tuple of tuple of str
        The devices of each split; empty for a time split.
    folds : Folds or None
        Where the split is cross-fitted: training and validation are the same rows, in folds.
    """

    of_row: npt.NDArray[np.int8]
    kind: str
    boundaries: tuple[int, ...] = ()
    devices: tuple[tuple[str, ...], ...] = ()
    folds: "Folds | None" = None

    def rows(self, split: int) -> Flags:
        """Mark the rows of a split."""
        return self.of_row == (TRAIN if self.folds and split == VALIDATION else split)


@dataclass(frozen=True)
class Folds:
    """Folds of the rows for training and validation: a model fitted on the others scores each of them.

    Attributes
    ----------
    of_row : int8 array, rows
        Fold of each row; ``NONE`` for rows of no fold.
    edges : tuple of int
        Of a split by time: where each fold begins, and where the last one ends, nanoseconds since the epoch.
    """

    of_row: npt.NDArray[np.int8]
    edges: tuple[int, ...] = ()

    def __len__(self) -> int:
        return int(self.of_row.max()) + 1

    def fitted(self, fold: int, times: Integers, horizon: int) -> Flags:
        """Mark the rows that the model of a fold is fitted on.

        By time, the rows within one horizon of the fold are excluded on both sides: the labels of those before
        look into it, and the windows of those after overlap it.

        Parameters
        ----------
        fold : int
        times : int64 array, rows
        horizon : int
            Nanoseconds.
        """
        rows = (self.of_row >= 0) & (self.of_row != fold)
        if self.edges:
            rows &= (times < self.edges[fold] - horizon) | (times >= self.edges[fold + 1] + horizon)
        return rows


@dataclass(frozen=True)
class _Facts:
    """The data that a split depends on."""

    sequences: Sequences
    labels: Labels
    incidents: Incidents
    horizon: int

    def useful(self) -> Flags:
        """Mark the predictable incidents."""
        return self.incidents.observed(self.sequences, self.horizon)

    def failing(self) -> Integers:
        """List the devices with a predictable incident."""
        return np.unique(self.incidents.device[self.useful()])


def split(
    kind: str,
    sequences: Sequences,
    labels: Labels,
    incidents: Incidents,
    horizon: int,
    *,
    fractions: tuple[float, ...] = FRACTIONS,
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
    fractions : tuple of float
        Of train, validation and test; two if the test telemetry is separate.
    seed : int
        Of a device split.
    minimum_incidents : int
        Minimum separate incidents per split of a time split.

    Raises
    ------
    NetopsError
        If no such split is informative, but the other kind is; names it.
    FewLabelsError
        If neither is; names the reason.
    """
    facts = _Facts(sequences, labels, incidents, horizon)
    if kind == "device":
        return _by_device(facts, fractions, seed)
    return _by_time(facts, fractions, minimum_incidents)


def dropped(labels: Labels, inside: Flags) -> Flags:
    """Mark the samples that belong to no split: healthy, but their next horizon is not observed."""
    return (labels < 0) & ~inside


# By time ----------------------------------------------------------------------------------------------------


def _by_time(facts: _Facts, fractions: tuple[float, ...], minimum: int) -> Split:
    boundaries = _boundaries(facts, fractions, minimum)
    if boundaries is None:
        raise _refusal(facts, len(fractions), "time")(_why_not_by_time(facts, len(fractions), minimum))
    times = facts.sequences.timestamps
    split_of_row = np.searchsorted(np.asarray(boundaries), times, side="right").astype(np.int8)
    for boundary in boundaries:
        # A label covers (t, t + horizon]: before a boundary it would leak from the next split.
        split_of_row[(times < boundary) & (times + facts.horizon >= boundary)] = NONE
    split_of_row[dropped(facts.labels, facts.incidents.inside(facts.sequences))] = NONE
    return Split(split_of_row, "time", boundaries)


def _boundaries(facts: _Facts, fractions: tuple[float, ...], minimum: int) -> tuple[int, ...] | None:
    """Find the boundaries closest to the given fractions of samples and incidents, with enough incidents each."""
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
    return _cheapest(edges, enough, rows, counts, fractions)


def _cheapest(
    edges: Integers, enough: Integers, rows: npt.ArrayLike, counts: npt.ArrayLike, fractions: tuple[float, ...]
) -> tuple[int, ...] | None:
    """Dynamic programming over the edges: the lowest cost of ending each split at each edge."""
    both = np.stack([np.asarray(rows), np.asarray(counts)])
    spans = both[:, None, :] - both[:, :, None]
    possible = edges[None, :] >= enough[:, None]
    first, *others = (np.where(possible, np.abs(spans - fraction).sum(axis=0), np.inf) for fraction in fractions)
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
    """Return, for a split that begins at each edge, when it contains ``minimum`` separate incidents.

    Incidents that overlap, or start within the horizon of each other, on whichever devices, may be one event seen
    twice; the largest set of separate incidents is selected, greedily by their end.
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
    """Count separate incidents: neither overlapping nor within the horizon of each other."""
    start, end = incidents.start[useful], incidents.end[useful]
    count, at = 0, np.iinfo(np.int64).min
    for index in np.argsort(end):
        if start[index] - horizon >= at:
            count, at = count + 1, end[index]
    return count


def _why_not_by_time(facts: _Facts, count: int, minimum: int) -> str:
    useful = facts.useful()
    found, separate = int(useful.sum()), separate_incidents(facts.incidents, useful, facts.horizon)
    history = facts.sequences.timestamps.max() - facts.sequences.timestamps.min()
    what = (
        f"{found} incidents" if found == separate else f"{found} incidents, of which only {separate} are separate"
    )
    crowded = ", too close together" if separate >= count * minimum else ""
    return (
        f"no split by time: each of {_named(count)} needs at least {minimum} incidents further apart than the "
        f"horizon, {format_duration(facts.horizon)} ({count * minimum} in all), and {_whole(int(history))} of "
        f"history hold {what}{crowded}; {_instead(facts, count, 'time')}"
    )


# By device --------------------------------------------------------------------------------------------------


def _by_device(facts: _Facts, fractions: tuple[float, ...], seed: int) -> Split:
    failing = facts.failing()
    if len(failing) < len(fractions):
        raise _refusal(facts, len(fractions), "device")(_why_not_by_device(facts, len(fractions), len(failing)))
    of_device = _grouped(facts, fractions, seed)
    of_row = of_device[facts.sequences.device_of_row]
    of_row[dropped(facts.labels, facts.incidents.inside(facts.sequences))] = NONE
    names = np.asarray(facts.sequences.devices, dtype=object)
    return Split(of_row, "device", devices=tuple(tuple(names[of_device == p]) for p in range(len(fractions))))


def _grouped(facts: _Facts, fractions: tuple[float, ...], *key: object) -> npt.NDArray[np.int8]:
    """Assign each device with samples to a group by a hash of its name; groups without incidents get some."""
    names = np.asarray(facts.sequences.devices, dtype=object)
    present = np.flatnonzero(np.diff(facts.sequences.offsets))
    of_device = np.full(len(names), NONE, dtype=np.int8)
    edges = np.cumsum(fractions)[:-1] / sum(fractions)
    of_device[present] = np.searchsorted(edges, [hashed(*key, names[device]) for device in present], side="right")
    incidents = np.bincount(facts.incidents.device[facts.useful()], minlength=len(names))
    for enough in (1, MINIMUM_INCIDENTS):
        _fill(
            of_device, incidents, enough, len(fractions), lambda group, device: hashed(*key, names[device], group)
        )
    return of_device


def hashed(*what: object) -> float:
    """Hash values into [0, 1). A device keeps its value when others are added or removed."""
    digest = hashlib.blake2b("\x1f".join(map(str, what)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _fill(
    of_device: npt.NDArray[np.int8],
    incidents: Integers,
    enough: int,
    count: int,
    rank: Callable[[int, int], float],
) -> None:
    """Move failing devices to splits with too few incidents, from splits that can spare them."""
    for index in (*range(1, count), TRAIN):
        while incidents[of_device == index].sum() < enough:
            held = np.array([incidents[of_device == other].sum() for other in range(count)])
            spare = (incidents > 0) & (of_device != index) & (of_device != NONE)
            spare &= held[of_device] - incidents >= enough
            if not spare.any():
                return
            of_device[min(np.flatnonzero(spare), key=lambda device: rank(index, int(device)))] = index


def _why_not_by_device(facts: _Facts, count: int, failing: int) -> str:
    who = "no device has" if failing == 0 else f"only {failing} device{'s have' if failing > 1 else ' has'}"
    return (
        f"no split by device: each of {_named(count)} needs a device with an incident, and {who} "
        f"one that can be predicted; {_instead(facts, count, 'device')}"
    )


# Cross-fitting ----------------------------------------------------------------------------------------------


def cross_fitted(
    cut: Split, sequences: Sequences, labels: Labels, incidents: Incidents, horizon: int, *, seed: int, below: int
) -> Split:
    """Join training and validation, in folds that hold incidents: blocks in time, or groups of devices.

    Parameters
    ----------
    cut : Split
        Of :func:`split`.
    sequences, labels, incidents, horizon
        As there.
    seed : int
        Of the groups of devices.
    below : int
        Incidents that can be warned of in both together, from which the split stays as it is.

    Returns
    -------
    Split
        The given one where there are too many incidents, or too few for two folds.
    """
    rows = _joined(cut, sequences, labels, incidents, horizon)
    facts = _Facts(sequences.where(rows), labels[rows], incidents, horizon)
    if int(facts.useful().sum()) >= below:
        return cut
    folds = _by_block(facts) if cut.kind == "time" else _by_group(facts, seed)
    if folds is None:
        return cut
    of_row = np.full(len(sequences), NONE, dtype=np.int8)
    of_row[rows] = folds.of_row
    split_of_row = np.where(rows, np.int8(TRAIN), np.where(cut.rows(TEST), np.int8(TEST), np.int8(NONE)))
    devices = cut.devices and ((*cut.devices[TRAIN], *cut.devices[VALIDATION]), (), *cut.devices[TEST:])
    return Split(split_of_row, cut.kind, cut.boundaries, devices, Folds(of_row, folds.edges))


def _joined(cut: Split, sequences: Sequences, labels: Labels, incidents: Incidents, horizon: int) -> Flags:
    """Mark the rows of training and validation, those between the two included."""
    rows = cut.rows(TRAIN) | cut.rows(VALIDATION)
    if cut.kind == "time":
        rows |= cut.of_row == NONE
        if len(cut.boundaries) == TEST:
            rows &= sequences.timestamps + horizon < cut.boundaries[TEST - 1]
        rows &= ~dropped(labels, incidents.inside(sequences))
    return rows


def _by_block(facts: _Facts) -> Folds | None:
    """Cut the time into the most blocks, up to ``FOLDS``, that each hold an incident."""
    times = facts.sequences.timestamps
    for count in range(FOLDS, 1, -1):
        inner = _boundaries(facts, (1 / count,) * count, 1)
        if inner is not None:
            of_row = np.searchsorted(np.asarray(inner), times, side="right").astype(np.int8)
            return Folds(of_row, (int(times.min()), *inner, int(times.max()) + 1))
    return None


def _by_group(facts: _Facts, seed: int) -> Folds | None:
    """Group the devices into folds that each hold one with an incident."""
    count = min(FOLDS, len(facts.failing()))
    if count < 2:
        return None
    return Folds(_grouped(facts, (1 / count,) * count, seed, "fold")[facts.sequences.device_of_row])


# Separate test telemetry ------------------------------------------------------------------------------------


def whole_test(sequences: Sequences, labels: Labels, incidents: Incidents, horizon: int) -> Split:
    """Take separate telemetry as the test split.

    Raises
    ------
    NetopsError
        If it contains no predictable incident.
    """
    if not incidents.observed(sequences, horizon).any() or not (labels == 1).any():
        raise NetopsError(
            "no incident in the test split: the test telemetry contains none that starts within "
            f"{format_duration(horizon)} of a healthy sample; give --test-incidents, or other telemetry to --test"
        )
    split_of_row = np.full(len(sequences), TEST, dtype=np.int8)
    split_of_row[dropped(labels, incidents.inside(sequences))] = NONE
    return Split(split_of_row, "test", devices=((), (), sequences.devices))


# Words ------------------------------------------------------------------------------------------------------


def _named(count: int) -> str:
    names = SPLITS[:count]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _refusal(facts: _Facts, count: int, refused: str) -> type[NetopsError]:
    """Choose the error: labels that suffice for the other kind of split are not to be ignored."""
    return NetopsError if _other_works(facts, count, refused) else FewLabelsError


def _other_works(facts: _Facts, count: int, refused: str) -> bool:
    if refused == "time":
        return len(facts.failing()) >= count
    return _boundaries(facts, FRACTIONS[:count], MINIMUM_INCIDENTS) is not None


def _instead(facts: _Facts, count: int, refused: str) -> str:
    """Name what would work."""
    if _other_works(facts, count, refused):
        return (
            f"--split device works ({len(facts.failing())} devices have incidents)"
            if refused == "time"
            else "--split time works"
        )
    if count == len(SPLITS):
        return "provide longer telemetry, or separate test telemetry with --test"
    return "give longer telemetry with more incidents"


def _whole(nanoseconds: int) -> str:
    for size, unit in ((DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes")):
        if nanoseconds >= 2 * size:
            return f"{round(nanoseconds / size)} {unit}"
    return f"{nanoseconds // SECOND} seconds"
