"""The reference of a model: the hourly distributions of its features, risks and missing values.

It is stored in the model folder next to the card, as plain arrays. New telemetry is compared with the same time of
the day, and the variation between days gives the significance.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from netops.config.durations import HOUR, SECOND
from netops.errors import NetopsError
from netops.files import atomic_path
from netops.models.card import read_card
from netops.monitoring.histograms import Floats, Histograms, Ints, binned, flags
from netops.monitoring.reading import Healthy, as_flags
from netops.monitoring.settings import MonitoringSettings
from netops.telemetry.dataset import Dataset
from netops.training.examples import Examples
from netops.training.rows import gather
from netops.training.train import split_risks

REFERENCE_FILE = "reference.npz"
FORMAT = 1
#: Maximum number of values read (160 MB), and of samples used to choose the bins.
_VALUES, _SAMPLE = 20_000_000, 20_000
#: Minimum number of blocks of a reference, if its sampling interval allows.
_BLOCKS = 24


@dataclass(frozen=True)
class Reference:
    """What new telemetry is compared with.

    Attributes
    ----------
    features, missing : Histograms
        Distributions of the features, and missing values of the metrics, over the training telemetry.
    risk, alerting : Histograms
        Distribution of the risk, and samples at or above the threshold, over the held-out splits.
    threshold : float
        The threshold of ``alerting``.
    slots : int
        Blocks per period.
    devices, columns : tuple of str
        The devices and all columns of the telemetry, including those that are not metrics.
    interval_seconds : float
        Time between two samples.
    memory : int
        The longest window of the features, in blocks.
    """

    features: Histograms
    missing: Histograms
    risk: Histograms
    alerting: Histograms
    threshold: float
    slots: int
    devices: tuple[str, ...]
    columns: tuple[str, ...]
    interval_seconds: float
    memory: int


class _Grid(TypedDict):
    """The series and the blocks of stored histograms."""

    names: list[str]
    block: int
    first: int


_KINDS = ("features", "missing", "risk", "alerting")


def reference_of(examples: Examples, model: Path, settings: MonitoringSettings) -> Reference:
    """Build the reference of a model from the examples it was trained on.

    Parameters
    ----------
    examples : Examples
    model : Path
        Model folder.
    settings : MonitoringSettings
    """
    card = read_card(model)
    threshold = 1.0 if card.threshold is None else card.threshold
    common = _common_once(examples, settings)
    times, risks = _held_out(examples, model)
    block, first, blocks = _grid(times, common.block)
    known = risks[~np.isnan(risks)]
    risk = binned(["risk"], known[:, None], settings.bins, block, first, blocks)
    risk.add(times, risks[:, None])
    alerting = flags(["above threshold"], block, first, blocks)
    scored = ~np.isnan(risks)
    alerting.add(times[scored], as_flags(risks[scored] >= threshold)[:, None])
    return Reference(
        common.features, common.missing, risk, alerting, threshold, common.slots, common.devices, common.columns,
        card.interval_seconds, -(-max(card.spec.get("windows") or [1]) // block),
    )  # fmt: skip


@dataclass(frozen=True)
class _Common:
    """The fields of the reference that are equal for all models of a training."""

    features: Histograms
    missing: Histograms
    slots: int
    devices: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def block(self) -> int:
        return self.features.block


_lock = threading.Lock()
_latest: dict[str, _Common] = {}


def _common_once(examples: Examples, settings: MonitoringSettings) -> _Common:
    """Read the telemetry once for all model families of a run."""
    key = repr((examples.folder.resolve(), examples.key, settings))
    with _lock:
        if key not in _latest:
            found = _common(Dataset.open(Path(examples.sources["validation"])), examples.names, settings)
            _latest.clear()
            _latest[key] = found
        return _latest[key]


def _common(dataset: Dataset, names: tuple[str, ...], settings: MonitoringSettings) -> _Common:
    healthy = Healthy.of(dataset)
    start, end = healthy.span
    start = max(start, end - settings.reference)
    slots = slots_for(end - start, dataset.meta.interval_seconds, settings.rhythm)
    block = settings.rhythm // slots
    read = list(dict.fromkeys((*names, *dataset.meta.metrics)))
    rows = healthy.thinned(block, start, _VALUES // len(read))
    times = healthy.sequences.timestamps[rows]
    values = gather(dataset, read, rows)
    _, first, blocks = _grid(times, block)
    some = values[:: max(1, len(rows) // _SAMPLE), : len(names)]
    features = binned(names, some, settings.bins, block, first, blocks)
    features.add(times, values)
    missing = flags(dataset.meta.metrics, block, first, blocks)
    missing.add(times, as_flags(np.isnan(values[:, [read.index(name) for name in missing.names]])))
    columns = (*dataset.meta.metrics, *dataset.meta.left_out, *dataset.meta.attributes)
    return _Common(features, missing, slots, healthy.sequences.devices, columns)


def slots_for(span: int, interval_seconds: float, rhythm: int) -> int:
    """Return the number of blocks per period: one hour each, or less if the reference is short."""
    block = max(min(HOUR, span // _BLOCKS), round(10 * interval_seconds * SECOND), 1)
    return max(1, -(-rhythm // block))


def _grid(times: Ints, block: int) -> tuple[int, int, int]:
    if not len(times):
        return block, 0, 1
    first = int(times.min() // block)
    return block, first, int(times.max() // block) - first + 1


def _held_out(examples: Examples, model: Path) -> tuple[Ints, Floats]:
    """Return times and risks of the splits of the training telemetry that the model was not fitted on."""
    sequences = examples.labelled[0].sequences
    times, risks = [], []
    for split in ("validation", "test"):
        if examples.sources[split] == examples.sources["validation"]:
            rows = np.array(examples.array(split))
            times.append(sequences.timestamps[np.where(rows < 0, ~rows, rows)])
            risks.append(split_risks(examples, model, split))
    return np.concatenate(times), np.concatenate(risks)


def write_reference(folder: Path, reference: Reference) -> None:
    """Write the reference into a model folder, atomically."""
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    about: dict[str, object] = {
        "format": FORMAT,
        "threshold": reference.threshold,
        "slots": reference.slots,
        "devices": reference.devices,
        "columns": reference.columns,
        "interval_seconds": reference.interval_seconds,
        "memory": reference.memory,
    }
    for kind in _KINDS:
        histograms: Histograms = getattr(reference, kind)
        arrays[f"{kind}_edges"], arrays[f"{kind}_counts"] = histograms.edges, histograms.counts.astype(np.uint32)
        about[kind] = {"names": histograms.names, "block": histograms.block, "first": histograms.first}
    arrays["about"] = np.array(json.dumps(about))
    with atomic_path(folder / REFERENCE_FILE) as draft, draft.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_reference(folder: Path) -> Reference:
    """Read the reference of a model folder.

    Raises
    ------
    NetopsError
        If it is missing or not readable.
    """
    path = folder / REFERENCE_FILE
    try:
        with np.load(path, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            if about["format"] != FORMAT:
                raise NetopsError(f"{path}: unknown format; train the model again")
            kinds = {kind: _histograms(about[kind], arrays, kind) for kind in _KINDS}
    except FileNotFoundError:
        raise NetopsError(f"{folder}: the model has no reference ({REFERENCE_FILE}); train it again") from None
    except (OSError, ValueError, KeyError) as error:
        raise NetopsError(f"{path}: not readable ({error}); train the model again") from None
    return Reference(
        **kinds,
        threshold=about["threshold"],
        slots=about["slots"],
        devices=tuple(about["devices"]),
        columns=tuple(about["columns"]),
        interval_seconds=about["interval_seconds"],
        memory=about["memory"],
    )


def _histograms(about: _Grid, arrays: Mapping[str, Floats], kind: str) -> Histograms:
    counts = arrays[f"{kind}_counts"].astype(np.int64)
    return Histograms(tuple(about["names"]), arrays[f"{kind}_edges"], about["block"], about["first"], counts)
