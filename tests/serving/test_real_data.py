"""Streaming answers equal scoring the batch, on real telemetry."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from netops.client.playback import recorded
from netops.config.durations import MINUTE
from netops.features.batch import transform
from netops.features.spec import FeatureSpec
from netops.models.onnx_file import Scorer
from netops.serving.engine.champion import FixedModel
from netops.telemetry.dataset import matrix_of, rows_of
from tests.serving.models import make_model

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize("source", ["smd-servers/telemetry.parquet", "cisco-routers/telemetry/bgpclear_second"])
def test_streaming_equals_the_batch_on_real_telemetry(source, start, tmp_path):
    from netops.progress import silent
    from netops.telemetry.ingest import ingest
    from netops.telemetry.settings import TelemetrySettings

    dataset = ingest([DATA / source], tmp_path / "data", TelemetrySettings(), None, silent)
    spec = FeatureSpec(dataset.meta.metrics, (2 * MINUTE, 30 * MINUTE))
    folder = make_model(tmp_path / "model", "real", spec, trees=50)
    pipeline = start(source=FixedModel("real", folder))
    expected, devices = {}, []
    for table in dataset.tables():
        rows = rows_of(table)
        features = transform(spec, rows.offsets, rows.timestamps, matrix_of(table, list(dataset.meta.metrics)), 1)
        risks = Scorer(folder).score(features)
        for index, device in enumerate(rows.devices):
            part = slice(rows.offsets[index], rows.offsets[index + 1])
            expected |= {
                (device, at): risk for at, risk in zip(rows.timestamps[part].tolist(), risks[part], strict=True)
            }
        devices += rows.devices
    compared = 0
    for chunk in recorded(dataset).chunks():
        for begin in range(0, len(chunk.devices), 500):
            part = slice(begin, begin + 500)
            answers = pipeline.run(msgspec.json.encode(list(_samples(chunk, part, devices, dataset.meta.metrics))))
            assert {answer.status for answer in answers} == {"scored"}
            wanted = [expected[answer.device, answer.timestamp] for answer in answers]
            np.testing.assert_allclose([answer.risk for answer in answers], wanted, atol=1e-6, rtol=0)
            compared += len(answers)
        if compared >= 20_000:
            break
    assert compared > 1000


def _samples(chunk, part, devices, metrics):
    for device, at, row in zip(chunk.devices[part], chunk.timestamps[part], chunk.values[part], strict=True):
        values = {
            name: None if value != value else value for name, value in zip(metrics, row.tolist(), strict=True)
        }
        yield {"timestamp": int(at), "device": devices[device], **values}
