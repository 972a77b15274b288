"""The reference that a model keeps."""

from pathlib import Path

import numpy as np
import pytest

from netops.config.durations import DAY, HOUR, MINUTE, SECOND
from netops.errors import NetopsError
from netops.monitoring.reference import REFERENCE_FILE, read_reference, slots_for, write_reference
from tests.monitoring.conftest import TRAINED
from tests.monitoring.networks import DEVICES, Network


def test_it_holds_every_hour_of_the_training_telemetry(network: Network) -> None:
    reference = read_reference(network.model)
    assert reference.features.block == HOUR
    assert len(reference.features) == TRAINED * 24
    assert reference.slots == 24
    per_hour = reference.features.counts.sum(axis=(1, 2)) / len(reference.features.names)
    assert per_hour.max() <= len(reference.devices) * 60
    assert np.median(per_hour) > len(reference.devices) * 50
    assert len(reference.devices) == DEVICES - 2  # those of the new class are not there yet
    assert reference.memory == 1


def test_the_risk_is_that_of_the_held_out_parts(network: Network) -> None:
    reference = read_reference(network.model)
    held_out = reference.risk.counts.sum()
    whole = reference.features.counts[:, 0].sum()
    assert 0.2 < held_out / whole < 0.6
    assert reference.alerting.counts.sum() == held_out
    assert 0 < reference.alerting.shares(0, len(reference.alerting))[0, 1] < 0.2


def test_it_is_written_and_read_the_same(network: Network, tmp_path: Path) -> None:
    reference = read_reference(network.model)
    write_reference(tmp_path, reference)
    again = read_reference(tmp_path)
    assert again.features.names == reference.features.names
    np.testing.assert_array_equal(again.features.counts, reference.features.counts)
    np.testing.assert_array_equal(again.risk.edges, reference.risk.edges)
    assert (tmp_path / REFERENCE_FILE).read_bytes() == (network.model / REFERENCE_FILE).read_bytes()


def test_a_model_without_one_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(NetopsError, match="has no reference"):
        read_reference(tmp_path)
    (tmp_path / REFERENCE_FILE).write_bytes(b"nothing of the kind")
    with pytest.raises(NetopsError, match="not readable"):
        read_reference(tmp_path)


@pytest.mark.parametrize(
    ("span", "interval", "rhythm", "slots"),
    [(8 * DAY, 60, DAY, 24), (8 * DAY, 60, 7 * DAY, 168), (6 * HOUR, 5, DAY, 96), (30 * DAY, 3600, DAY, 3)],
)
def test_blocks_are_of_an_hour_where_the_reference_allows(
    span: int, interval: float, rhythm: int, slots: int
) -> None:
    assert slots_for(span, interval, rhythm) == slots
    assert rhythm // slots <= max(HOUR, 10 * interval * SECOND) + MINUTE
