import numpy as np
import pyarrow as pa
import pytest

from netops.config.durations import SECOND
from netops.telemetry.dataset import INCIDENTS_SCHEMA, TIME_TYPE, Meta, finish, write_part

from .samples import START, irregular


def part_of(seed, lengths):
    """A part as telemetry has it: a device with as many samples for each length."""
    pieces = [irregular(seed * 100 + i, n) for i, n in enumerate(lengths)]
    codes = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    times, values = (np.concatenate([piece[i] for piece in pieces]) for i in (0, 1))
    return pa.table({
        "timestamp": pa.array(times).cast(TIME_TYPE),
        "device": pa.DictionaryArray.from_arrays(codes, [f"device-{seed}-{i}" for i in range(len(lengths))]),
        "site": pa.DictionaryArray.from_arrays(codes * 0, [f"site-{seed}"]),
        "m0": values[:, 0],
        "m1": values[:, 1],
        "m0_is_error": codes > 1,
        "is_error": codes > 0,
    })  # fmt: skip


@pytest.fixture
def telemetry(tmp_path):
    """A dataset of three parts, whose parts have 650, 1 and 300 samples."""
    lengths = [(300, 0, 350), (1,), (50, 100, 150)]
    (tmp_path / "telemetry").mkdir()
    for number, some in enumerate(lengths):
        write_part(tmp_path / "telemetry", number, part_of(number, some))
    incidents = pa.table(
        {"device": ["device-0-0"], "start": pa.array([START]), "end": pa.array([START + SECOND])},
    ).cast(INCIDENTS_SCHEMA)
    meta = Meta(("m0", "m1"), ("site",), 951, 6, 1, 5.0, "test")
    return finish(tmp_path / "telemetry", meta, incidents)
