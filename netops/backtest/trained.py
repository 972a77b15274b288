"""Which of the history a model was trained on: it counts for nothing."""

import numpy as np

from netops.alerting.sequences import Flags, Sequences
from netops.backtest.history import History
from netops.models.card import ModelCard
from netops.training.splits import TEST, dropped


def trained_rows(card: ModelCard, sequences: Sequences) -> Flags:
    """Mark the samples of the devices and times that a model was fitted on, or its threshold chosen.

    Parameters
    ----------
    card : ModelCard
        Its split says which part was which. A card that does not name its devices may have seen any.
    sequences : Sequences
    """
    low, high = _times(card)
    times = sequences.timestamps
    return _known(card, sequences)[sequences.device_of_row] & (times >= low) & (times <= high)


def counted_rows(card: ModelCard, history: History, trained: Flags) -> Flags:
    """Mark the samples that count, by the rules of the test part.

    Those whose next horizon is not observed are no part of it, nor those whose next horizon reaches over into what
    was trained on.
    """
    times, low = history.sequences.timestamps, _times(card)[0]
    known = _known(card, history.sequences)[history.sequences.device_of_row]
    reaches_over = known & (times < low) & (times + card.horizon >= low)
    return ~trained & ~reaches_over & ~dropped(history.labels, history.inside)


def _times(card: ModelCard) -> tuple[int, int]:
    """Say from when to when samples were trained on, the last included."""
    data, boundaries = card.data, card.split.get("boundaries") or []
    low, high = int(data.get("from", 0)), int(data.get("to", np.iinfo(np.int64).max))
    # Two boundaries: validation begins, test begins. With one, the test telemetry lay apart.
    return low, int(boundaries[TEST - 1]) - 1 if len(boundaries) == TEST else high


def _known(card: ModelCard, sequences: Sequences) -> Flags:
    """Mark the devices that were trained on."""
    dealt = card.split.get("devices") or []
    if card.split.get("kind") == "device" and dealt:
        names = {name for part in dealt[:TEST] for name in part}
    elif "device_names" in card.data:
        names = set(card.data["device_names"])
    else:
        return np.ones(len(sequences.devices), dtype=np.bool_)
    return np.array([device in names for device in sequences.devices], dtype=np.bool_)
