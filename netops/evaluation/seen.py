"""What a model has been fitted on: it is not compared with another one there."""

import numpy as np

from netops.alerting.outcomes import EvaluationSplit
from netops.alerting.sequences import Flags, Sequences
from netops.models.card import ModelCard
from netops.training.splits import TEST, TRAIN, VALIDATION


def unseen_by(card: ModelCard, split: EvaluationSplit) -> Flags:
    """Mark the samples of a split that a model has not been fitted on.

    A model of a split by device has seen its training devices, whenever that was; one of a split by time all its
    devices, up to the start of its validation, or of its test if it is cross-fitted. A card that names neither may
    have seen any device until its end. A model without labels has seen no label: all samples are new to it.

    Parameters
    ----------
    card : ModelCard
    part : Part

    Returns
    -------
    bool array, rows of the split
    """
    sequences = split.sequences
    if not card.supervised:
        return np.ones(len(sequences), dtype=np.bool_)
    devices = card.split.get("devices") or []
    if card.split.get("kind") == "device" and devices:
        return ~_of_devices(sequences, devices[TRAIN])
    boundaries = card.split.get("boundaries") or []
    last = TEST - 1 if card.split.get("folds") else VALIDATION - 1  # a cross-fitted model has seen validation too
    end = int(card.data.get("to", np.iinfo(np.int64).max)) + 1
    until = int(boundaries[last]) if len(boundaries) > last else end
    names = card.data.get("device_names")
    known = np.ones(len(sequences), dtype=np.bool_) if names is None else _of_devices(sequences, names)
    return ~(known & (sequences.timestamps < until))


def restricted(split: EvaluationSplit, keep: Flags) -> EvaluationSplit:
    """Take some rows of a split."""
    if keep.all():
        return split
    facts = (split.incidents, split.horizon, split.attributes, split.left_out)
    return EvaluationSplit.where(keep, split.sequences, split.labels, *facts)


def _of_devices(sequences: Sequences, names: list[str]) -> Flags:
    chosen = set(names)
    return np.array([name in chosen for name in sequences.devices], dtype=np.bool_)[sequences.device_of_row]
