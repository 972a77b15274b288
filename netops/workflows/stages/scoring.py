"""The champion over a batch: the risk of every healthy sample of some telemetry."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from netops import progress
from netops.errors import UsageError
from netops.features.build import build_features
from netops.features.spec import FeatureSpec
from netops.files import atomic_path
from netops.models.card import ModelCard
from netops.models.likeness import likeness
from netops.models.onnx_file import Scorer
from netops.telemetry.dataset import Dataset, matrix_of
from netops.telemetry.schema import DEVICE, TIMESTAMP
from netops.workflows.settings import Settings
from netops.workflows.stages.dask import compute_cluster
from netops.workflows.stages.log_columns import with_logs_of
from netops.workflows.stages.log_samples import telemetry_for

SUFFIXES = (".parquet", ".csv")


def score(sources: Sequence[str], model: Path, settings: Settings, out: Path) -> int:
    """Score telemetry into a file: timestamp, device, risk, model_version, probability (null if not calibrated).

    Parameters
    ----------
    sources : sequence of str
        Files, folders or addresses of telemetry.
    model : Path
        Model folder.
    settings : Settings
        ``telemetry`` is read.
    out : Path
        ``.parquet`` or ``.csv``; appears when all is scored.

    Returns
    -------
    int
        How many samples were scored.

    Raises
    ------
    UsageError
        If the file's ending is neither.
    NetopsError
        If the telemetry cannot be read, or lacks metrics of the model.
    """
    if out.suffix not in SUFFIXES:
        raise UsageError(f"--out {out}: name a file that ends in {' or '.join(SUFFIXES)}")
    scorer = Scorer(model)
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch:
        features = _features(sources, scorer.card, settings, Path(scratch))
        with atomic_path(out) as draft:
            return _write(draft, out.suffix, _scored(features, scorer))


def _features(sources: Sequence[str], card: ModelCard, settings: Settings, scratch: Path) -> Dataset:
    telemetry = telemetry_for(card, sources, settings, scratch, None)
    telemetry = with_logs_of(telemetry, card, settings, scratch / "counted")
    for line in likeness(telemetry, card).lines():
        progress.say(line)
    spec = FeatureSpec.from_dict(card.spec)
    with compute_cluster(settings.compute) as cluster:
        return build_features(telemetry, scratch / "features", spec, cluster=cluster, progress=progress.report)


def _scored(features: Dataset, scorer: Scorer) -> Iterator[pa.Table]:
    """Score part by part; a sample without a value of any metric has no risk, as the server rejects it."""
    names, metrics = list(scorer.card.features), list(scorer.card.metrics)
    done = unknown = 0
    for table in features.tables(list(dict.fromkeys([TIMESTAMP, DEVICE, *names, *metrics]))):
        empty = np.isnan(matrix_of(table, metrics)).all(axis=1)
        risks, probabilities = scorer.both(matrix_of(table, names))
        version = pa.array(np.full(table.num_rows, scorer.card.version))
        device = table.column(DEVICE).cast(pa.string())
        columns = {TIMESTAMP: table.column(TIMESTAMP), DEVICE: device}
        columns["risk"] = pa.array(risks, mask=empty)
        columns["model_version"] = version
        columns["probability"] = pa.array(probabilities, mask=empty | np.isnan(probabilities))
        done += table.num_rows
        unknown += int(empty.sum())
        progress.report(done, features.meta.samples, "score")
        yield pa.table(columns)
    if unknown:
        progress.say(f"warn: {unknown:,} of {done:,} samples have no value of any metric: no risk")


def _write(path: Path, suffix: str, tables: Iterator[pa.Table]) -> int:
    rows, writer = 0, None
    make = pq.ParquetWriter if suffix == ".parquet" else pyarrow.csv.CSVWriter
    try:
        for table in tables:
            writer = writer or make(str(path), table.schema)
            writer.write_table(table)
            rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    return rows
