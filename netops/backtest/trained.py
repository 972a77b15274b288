"""Find the samples that a model was trained on; they are not counted."""

import numpy as np

from netops.alerting.sequences import Flags, Sequences
from netops.backtest.history import History
from netops.models.card import ModelCard
from netops.training.splits import TEST, dropped


def trained_rows(card: ModelCard, sequences: Sequences) -> Flags:
    """Mark the samples of the devices and times used to fit a model or to choose its threshold.

    Parameters
    ----------
    card : ModelCard
        Its split defines training, validation and test. Without device names in the card, all devices match.
    sequences : Sequences
    """
    low, high = _times(card)
    times = sequences.timestamps
    return _known(card, sequences)[sequences.device_of_row] & (times >= low) & (times <= high)


def counted_rows(card: ModelCard, history: History, trained: Flags) -> Flags:
    """Mark the samples that are counted, by the rules of a test split.

    Samples whose next horizon is not observed, or overlaps the training data, are not counted.
    """
    times, low = history.sequences.timestamps, _times(card)[0]
    known = _known(card, history.sequences)[history.sequences.device_of_row]
    overlaps = known & (times < low) & (times + card.horizon >= low)
    return ~trained & ~overlaps & ~dropped(history.labels, history.inside)


def _times(card: ModelCard) -> tuple[int, int]:
    """Return the first and the last time of the training data."""
    data, boundaries = card.data, card.split.get("boundaries") or []
    low, high = int(data.get("from", 0)), int(data.get("to", np.iinfo(np.int64).max))
    # Two boundaries: start of validation, start of test. With one, the test telemetry was separate.
    return low, int(boundaries[TEST - 1]) - 1 if len(boundaries) == TEST else high


def _known(card: ModelCard, sequences: Sequences) -> Flags:
    """Mark the devices in the training data."""
    groups = card.split.get("devices") or []
    if card.split.get("kind") == "device" and groups:
        names = {name for group in groups[:TEST] for name in group}
    elif "device_names" in card.data:
        names = set(card.data["device_names"])
    else:
        return np.ones(len(sequences.devices), dtype=np.bool_)
    return np.array([device in names for device in sequences.devices], dtype=np.bool_)
