"""Test vectors of a model: raw samples of some devices and their tested risks, stored next to the model.

The risks are those of the metrics of training. They are written once, so that a model file, a feature
order or a calibration that differs from the tested model is detected wherever the model is started.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from netops.alerting.sequences import Floats, Integers, Sequences
from netops.errors import NetopsError
from netops.features.kernel import LAST_TIME
from netops.features.spec import FeatureSpec
from netops.files import atomic_path
from netops.models.card import ModelCard, read_card
from netops.models.onnx_file import Scorer
from netops.models.platt import Platt
from netops.telemetry.dataset import Dataset
from netops.training.examples import Examples
from netops.training.labelled import observe
from netops.training.rows import gather
from netops.training.train import split_risks

FILE = "proof.parquet"
#: Devices that are sent, and samples of each whose risk is compared, after those that fill the windows.
DEVICES, COMPARED = 2, 64
_TIME, _DEVICE, _RISK, _PROBABILITY, _METRIC = "timestamp", "device", "risk", "probability", "metric:"


@dataclass(frozen=True)
class Excerpt:
    """Consecutive samples of one device.

    Attributes
    ----------
    device : str
    timestamps : int64 array, n
        Nanoseconds since the epoch.
    values : float64 array, n × metrics
        In the order of the card's metrics; NaN where missing.
    risks, probabilities : float64 array, n
        What is to be answered; NaN where nothing is compared.
    """

    device: str
    timestamps: Integers
    values: Floats
    risks: Floats
    probabilities: Floats


def write_proof(examples: Examples, folder: Path) -> None:
    """Write the proof of a model folder: the highest risks of the test split, with the windows before.

    Parameters
    ----------
    examples : Examples
        What the model was trained and tested on.
    folder : Path
        Its folder; the risks of the test split are those that training has left (``split_risks``).
    """
    card = read_card(folder)
    sequences = examples.labelled[-1].sequences
    rows, risks = np.array(examples.array("test")), split_risks(examples, folder, "test")
    write_excerpts(folder, card, _excerpts(card, examples.sources["test"], sequences, rows, risks))


def proof_of(dataset: Dataset, folder: Path) -> list[Excerpt]:
    """Create the excerpts of a model of an older version without them: expected risks are those of its file."""
    scorer = Scorer(folder)
    sequences, *_ = observe(dataset, scorer.card.horizon)
    rows = np.unique(np.linspace(0, len(sequences) - 1, 20_000).astype(np.int64))
    risks = scorer.score(gather(dataset, scorer.card.features, rows))
    return _excerpts(scorer.card, str(dataset.path), sequences, rows, risks)


def _excerpts(card: ModelCard, source: str, sequences: Sequences, rows: Integers, risks: Floats) -> list[Excerpt]:
    scored = np.flatnonzero((rows >= 0) & np.isfinite(risks))
    rows, risks = rows[scored], risks[scored]
    device = sequences.device_of_row[rows]
    highest = np.full(len(sequences.devices), -np.inf)
    np.maximum.at(highest, device, risks)
    chosen = [code for code in np.argsort(-highest, kind="stable")[:DEVICES] if np.isfinite(highest[code])]
    platt, spec = Platt.from_dict(card.calibration), FeatureSpec.from_dict(card.spec)
    # Baselines depend on all samples.
    longest = LAST_TIME if spec.has_baseline else spec.longest_window
    found = []
    for code in sorted(chosen):
        own = np.flatnonzero(device == code)
        peak = int(risks[own].argmax())
        own = own[max(0, peak - COMPARED * 3 // 4) : peak + COMPARED // 4]
        first, last = _span(sequences, code, rows[own], longest)
        span = np.arange(first, last)
        expected = np.full(len(span), np.nan)
        expected[rows[own] - first] = risks[own]
        probable = platt.apply(expected) if platt else np.full(len(span), np.nan)
        values = gather(Dataset.open(Path(source)), card.metrics, span)
        found.append(Excerpt(sequences.devices[code], sequences.timestamps[first:last], values, expected, probable))
    return found


def _span(sequences: Sequences, code: int, rows: Integers, longest: int) -> tuple[int, int]:
    """Find the samples on which the features of some rows of a device depend."""
    begin = int(sequences.offsets[code])
    times = sequences.timestamps[begin : rows[0] + 1]
    return begin + int(np.searchsorted(times, times[-1] - longest, side="right")), int(rows[-1]) + 1


def write_excerpts(folder: Path, card: ModelCard, excerpts: list[Excerpt]) -> None:
    """Write excerpts into a model folder."""
    tables = [
        pa.table(
            {
                _TIME: excerpt.timestamps,
                _DEVICE: [excerpt.device] * len(excerpt.timestamps),
                _RISK: excerpt.risks,
                _PROBABILITY: excerpt.probabilities,
                **{f"{_METRIC}{name}": excerpt.values[:, index] for index, name in enumerate(card.metrics)},
            }
        )
        for excerpt in excerpts
    ]
    with atomic_path(folder / FILE) as draft:
        pq.write_table(pa.concat_tables(tables), draft, compression="zstd")


def read_proof(folder: Path) -> list[Excerpt]:
    """Read the excerpts of a model folder; empty if an older version has written it.

    Raises
    ------
    NetopsError
        If the file is damaged, or of other metrics than the card.
    """
    path = folder / FILE
    if not path.is_file():
        return []
    card = read_card(folder)
    try:
        table = pq.read_table(path)
        names = np.array(table[_DEVICE].to_pylist(), dtype=object)
        values = np.column_stack([table[f"{_METRIC}{name}"].to_numpy() for name in card.metrics])
        times, risks, probabilities = (table[name].to_numpy() for name in (_TIME, _RISK, _PROBABILITY))
    except (pa.ArrowException, KeyError, OSError, ValueError) as error:
        raise NetopsError(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}") from error
    found = []
    for name in dict.fromkeys(names.tolist()):
        own: npt.NDArray[np.bool_] = names == name
        found.append(Excerpt(name, times[own], values[own], risks[own], probabilities[own]))
    return found
