"""A small world whose incidents and risks are known."""

import numpy as np

from netops.alerting.outcomes import EvaluationSplit
from netops.alerting.sequences import Incidents, Sequences
from netops.config.durations import MINUTE, SECOND
from netops.training.labels import label_rows

HORIZON = 10 * MINUTE
STEP = 10 * SECOND


def world(devices=20, samples=1000, seed=0, between=(200, 500), failed=20):
    """Sequences, labels and incidents: every device fails now and then."""
    generator = np.random.default_rng(seed)
    device, start = [], []
    for number in range(devices):
        at = int(generator.integers(100, between[1]))
        while at < samples - failed:
            device.append(number)
            start.append(at * STEP)
            at += int(generator.integers(*between))
    offsets = np.arange(devices + 1) * samples
    sequences = Sequences(
        tuple(f"d{n}" for n in range(devices)), offsets, np.tile(np.arange(samples) * STEP, devices)
    )
    start = np.array(start, dtype=np.int64)
    scenario = [("cascade", "leak")[n % 2] for n in range(len(start))]
    incidents = Incidents.of(devices, device, start, start + failed * STEP, scenario=scenario)
    labels = label_rows(offsets, sequences.timestamps, incidents.inside(sequences), HORIZON)
    return sequences, labels, incidents


def make_split(**keys):
    """Everything as one part, with a data center for each device."""
    sequences, labels, incidents = world(**keys)
    centers = tuple(("east", "west")[n % 2] for n in range(len(sequences.devices)))
    return EvaluationSplit(
        sequences, labels, incidents, HORIZON, {"data_center": centers, "device": sequences.devices}
    )


def risks_of(labels, strength=2.0, seed=1):
    """Risks that know the label more or less."""
    noise = np.random.default_rng(seed).normal(size=len(labels))
    return 1 / (1 + np.exp(-(noise + strength * (labels == 1) - 2)))
