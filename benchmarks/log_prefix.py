"""Incidents predicted from logs alone: ours against the features of PreFix with a random forest.

    python -m benchmarks.log_prefix SEED…

S. Zhang et al., "PreFix: Switch Failure Prediction in Datacenter Networks", SIGMETRICS 2018, describes a window of
the messages of a switch by four kinds of features: the sequence of templates (its longest common subsequence with
those before failures), the frequency of each template, seasonality, and surge. This is an implementation of our own
from that description. Networks, templates, splits, alert budget and the judgement by incidents are those of
``log_quality``; the window of an hour is our longest one, and the horizon of 10 minutes that of the networks.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netops.alerting.outcomes import EvaluationSplit
from netops.config.durations import HOUR, MINUTE
from netops.evaluation.assessment import assess, assess_model
from netops.kernels import kernel
from netops.logs.columns import LogColumns
from netops.logs.devices import DeviceNames
from netops.logs.messages import Messages, read_messages
from netops.logs.reading import LogReader
from netops.telemetry.dataset import Dataset
from netops.training.examples import Examples
from netops.training.labelled import Labelled
from netops.training.splits import TRAIN
from netops.training.thinning import thin
from netops.training.train import split_risks
from netops.workflows.settings import Settings, read_settings

from .learning import best_of, learn
from .log_quality import LOGS, OVERRIDES, counted_telemetry, restricted
from .quality import Counted, count, pool, say, say_pooled, spread

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
OURS, PREFIX = "ours", "prefix"
WINDOW, SHORT = HOUR, 10 * MINUTE
#: Messages of a sequence that are compared, and sequences of healthy times that are.
_LENGTH, _HEALTHY = 24, 60
_ROWS, _TREES = 60_000, 200
#: Columns before the frequencies: sequence (3), seasonality (2), surge (2).
_OTHERS = 7


class _Device(NamedTuple):
    """The messages of a device: times, templates, and whether each repeats at equal distances."""

    times: Ints
    templates: Ints
    periodic: npt.NDArray[np.bool_]


class _Omens(NamedTuple):
    """Sequences of templates: padded with -1, and whose incident each precedes (device, start)."""

    sequences: Ints
    lengths: Ints
    device: Ints
    start: Ints


@kernel()
def _common(a: Ints, n: int, b: Ints, m: int) -> int:
    """Return the length of the longest common subsequence."""
    row = np.zeros(m + 1, np.int64)
    for i in range(n):
        diagonal = 0
        for j in range(m):
            above = row[j + 1]
            row[j + 1] = diagonal + 1 if a[i] == b[j] else max(above, row[j])
            diagonal = above
    return int(row[m])


@kernel()
def _similarities(a: Ints, n: int, omens: Ints, lengths: Ints, out: Floats) -> None:
    for k in range(len(lengths)):
        m = lengths[k]
        out[k] = _common(a, n, omens[k], m) / np.sqrt(n * m) if n > 0 and m > 0 else 0.0


def periodic(times: Ints, templates: Ints) -> npt.NDArray[np.bool_]:
    """Mark messages that come as long after the one before of their template as that after its own, within 10%."""
    found = np.zeros(len(times), bool)
    for template in np.unique(templates):
        rows = np.flatnonzero(templates == template)
        gaps = np.diff(times[rows])
        found[rows[2:]] = np.abs(gaps[1:] - gaps[:-1]) <= 0.1 * gaps[:-1]
    return found


def sequence_of(device: _Device, until: int, chosen: npt.NDArray[np.bool_]) -> Ints:
    """Return the chosen templates of the messages in the window before a time: the last ones."""
    first, last = np.searchsorted(device.times, [until - WINDOW, until], side="right")
    found = device.templates[first:last]
    return found[chosen[found]][-_LENGTH:]


def _padded(sequences: Sequence[Ints], owners: Sequence[tuple[int, int]]) -> _Omens:
    table = np.full((len(sequences), _LENGTH), -1, np.int64)
    for number, sequence in enumerate(sequences):
        table[number, : len(sequence)] = sequence
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    return _Omens(table, lengths, *(np.array(column, np.int64) for column in zip(*owners, strict=True)))


class PrefixFeatures:
    """The features of samples.

    Parameters
    ----------
    main : Labelled
        Samples, incidents and splits.
    messages : Messages
    templates : int
        Their number.
    seed : int
    """

    def __init__(self, main: Labelled, messages: Messages, templates: int, seed: int) -> None:
        self._main, self._width = main, templates + 1
        self._devices = [self._device(messages, name) for name in main.sequences.devices]
        self._owner = np.repeat(np.arange(len(self._devices)), np.diff(main.sequences.offsets))
        self._train = main.split.rows(TRAIN)
        self._chosen = self._preceding()
        self._before, self._healthy = self._omens(), self._others(seed)

    def _device(self, messages: Messages, name: str) -> _Device:
        times, _, templates = messages.of(name)
        known = np.where(templates < 0, self._width - 1, templates).astype(np.int64)
        return _Device(times, known, periodic(times, known))

    def _incidents(self) -> list[tuple[int, int]]:
        """Return device and start of the incidents of the training split."""
        sequences, incidents = self._main.sequences, self._main.incidents
        found = []
        for device in range(len(self._devices)):
            span = slice(sequences.offsets[device], sequences.offsets[device + 1])
            times = sequences.timestamps[span][self._train[span]]
            starts = incidents.start[incidents.offsets[device] : incidents.offsets[device + 1]]
            found += [(device, int(start)) for start in starts if len(times) and times[0] <= start <= times[-1]]
        return found

    def _healthy_times(self, seed: int, number: int) -> list[tuple[int, int]]:
        rows = np.flatnonzero(self._train & (self._main.training_labels == 0))
        chosen = np.random.default_rng(seed).choice(rows, number, replace=False)
        return [(int(self._owner[row]), int(self._main.sequences.timestamps[row])) for row in chosen.tolist()]

    def _preceding(self) -> npt.NDArray[np.bool_]:
        """Choose the templates that are in more windows before incidents than in healthy ones."""
        shares = []
        for moments in (self._incidents(), self._healthy_times(0, 1_000)):
            found = np.zeros(self._width)
            for device, time in moments:
                first, last = np.searchsorted(self._devices[device].times, [time - WINDOW, time - 1], side="right")
                found[np.unique(self._devices[device].templates[first:last])] += 1
            shares.append(found / max(1, len(moments)))
        return np.asarray(shares[0] > 2 * shares[1])

    def _omens(self) -> _Omens:
        owners = self._incidents()
        return _padded([sequence_of(self._devices[d], t - 1, self._chosen) for d, t in owners], owners)

    def _others(self, seed: int) -> _Omens:
        owners = self._healthy_times(seed, _HEALTHY)
        return _padded([sequence_of(self._devices[d], t, self._chosen) for d, t in owners], owners)

    def of(self, rows: Ints) -> npt.NDArray[np.float32]:
        """Return the features of rows: sequence, seasonality, surge, and the frequency of each template."""
        out = np.zeros((len(rows), _OTHERS + self._width), np.float32)
        times, owners = self._main.sequences.timestamps[rows], self._owner[rows]
        for number, (device, time) in enumerate(zip(owners.tolist(), times.tolist(), strict=True)):
            self._fill(out[number], device, time)
        return out

    def _fill(self, row: npt.NDArray[np.float32], device: int, time: int) -> None:
        own = self._devices[device]
        first, recent, last = np.searchsorted(own.times, [time - WINDOW, time - SHORT, time], side="right")
        if first == last:
            return
        counts = np.bincount(own.templates[first:last], minlength=self._width)
        short = np.bincount(own.templates[recent:last], minlength=self._width)
        row[:3] = self._sequence(device, time)
        repeated = np.count_nonzero(own.periodic[first:last])
        row[3:5] = repeated, repeated / (last - first)
        usual = (counts - short) * (SHORT / (WINDOW - SHORT))
        row[5:7] = (last - recent) / (usual.sum() + 1), np.max(short / (usual + 1))
        row[_OTHERS:] = counts

    def _sequence(self, device: int, time: int) -> tuple[float, float, float]:
        """Return greatest and mean similarity with sequences before failures, and the excess over healthy ones."""
        sequence = sequence_of(self._devices[device], time, self._chosen)
        if not len(sequence):
            return 0.0, 0.0, 0.0
        before, healthy = self._before, self._healthy
        alike, unlike = np.zeros(len(before.lengths)), np.zeros(len(healthy.lengths))
        _similarities(sequence, len(sequence), before.sequences, before.lengths, alike)
        _similarities(sequence, len(sequence), healthy.sequences, healthy.lengths, unlike)
        # The incident that a training sample precedes is not among those that it is compared with.
        alike[(before.device == device) & (np.abs(before.start - time) <= WINDOW)] = 0.0
        best = np.sort(alike)[-5:]
        return float(best[-1]), float(best.mean()), float(best[-1] - unlike.max())


def prefix_risks(examples: Examples, features: PrefixFeatures, seed: int) -> dict[str, Floats]:
    """Fit a random forest on the training split, and score validation and test."""
    from sklearn.ensemble import RandomForestClassifier

    main = examples.labelled[0]
    rows = np.flatnonzero(main.split.rows(TRAIN) & (main.training_labels >= 0))
    positive = main.training_labels[rows] == 1
    selected, weights = thin(rows, positive, _ROWS, seed)
    forest = RandomForestClassifier(_TREES, min_samples_leaf=5, class_weight="balanced", random_state=seed)
    forest.fit(features.of(selected), main.training_labels[selected] == 1, sample_weight=weights)
    risks = {}
    for split in ("validation", "test"):
        scored = np.array(examples.array(split))
        risks[split] = np.full(len(scored), np.nan)
        for part in np.array_split(np.flatnonzero(scored >= 0), 16):
            risks[split][part] = forest.predict_proba(features.of(scored[part]))[:, 1]
    return risks


def measure(seed: int) -> dict[str, Counted]:
    """Judge both on the network of a seed."""
    settings = read_settings(overrides=[*OVERRIDES, "training.cross_fit=never", f"fleet.seed={seed}"])
    with TemporaryDirectory() as folder:
        both, known, log = counted_telemetry(seed, settings, Path(folder))
        telemetry = restricted(both, tuple(name for name in both.meta.metrics if name not in known))
        examples, models = learn(telemetry, settings, Path(folder) / LOGS)
        best = models[best_of(examples, models)]
        ours = assess_model(examples, best, settings.alerting)
        say(seed, OURS, ours)
        features = _features(examples, telemetry, settings, log, seed)
        risks = prefix_risks(examples, features, seed)
        theirs = assess(examples, risks["validation"], risks["test"], settings.alerting)
        say(seed, PREFIX, theirs)
        test: EvaluationSplit = examples.evaluation_split("test")
        return {
            OURS: count(test, split_risks(examples, best, "test"), ours.policy, seed),
            PREFIX: count(test, risks["test"], theirs.policy, seed),
        }


def _features(examples: Examples, telemetry: Dataset, settings: Settings, log: Path, seed: int) -> PrefixFeatures:
    """Read the messages with the templates of ours."""
    main, templates = examples.labelled[0], LogColumns.from_dict(telemetry.meta.details["logs"]).templates
    reader = LogReader([log], settings.logs, DeviceNames(main.sequences.devices))
    messages = read_messages(reader, lambda batch: templates.find(batch.messages))
    return PrefixFeatures(main, messages, len(templates), seed)


def say_difference(networks: Sequence[dict[str, Counted]]) -> None:
    """Print what ours gives beyond PreFix, with intervals of pairs."""
    ours, theirs = (pool(network[name] for network in networks) for name in (OURS, PREFIX))
    gains = {figure: spread(ours[figure] - theirs[figure]) for figure in ours}
    print(json.dumps({"benchmark": "log_prefix_difference"} | gains), flush=True)


def main(words: Sequence[str]) -> None:
    """Measure the networks, one after another, and pool them."""
    networks = [measure(int(word)) for word in words]
    say_pooled(networks)
    say_difference(networks)


if __name__ == "__main__":
    main(sys.argv[1:])
