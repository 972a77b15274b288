"""From raw telemetry to feature vectors: shared by the stage, ``netops features`` and ``netops score``."""

import functools
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow.compute as pc

from netops import progress
from netops.compute.cluster import Cluster
from netops.config.durations import SECOND
from netops.features.spec import FeatureSpec
from netops.logs.columns import LogColumns
from netops.telemetry.dataset import TEST, Dataset
from netops.telemetry.drafts import refuse_foreign_files
from netops.telemetry.ingest import open_or_ingest
from netops.telemetry.schema import TIMESTAMP
from netops.workflows.settings import Settings
from netops.workflows.stages.dask import compute_cluster, scratch_near
from netops.workflows.stages.log_columns import with_logs


def spec_for(dataset: Dataset, settings: Settings) -> FeatureSpec:
    """Declare the features of a telemetry dataset by the configuration."""
    interval = round(dataset.meta.interval_seconds * SECOND)
    own = dict.fromkeys(counted_messages(dataset), settings.logs.statistics)
    chosen = {metric: names for metric, names in own.items() if names is not None}
    return settings.features.spec(dataset.meta.metrics, interval, history_of(dataset), chosen)


def counted_messages(dataset: Dataset) -> tuple[str, ...]:
    """Return the metrics that count log messages."""
    return tuple(dataset.meta.details.get(LogColumns.entry, {}).get("columns", ()))


def history_of(dataset: Dataset) -> int:
    """Measure the time from the first to the last sample, in nanoseconds."""
    ends = [pc.min_max(table.column(TIMESTAMP).cast("int64")) for table in dataset.tables([TIMESTAMP])]
    first, last = min(end["min"].as_py() for end in ends), max(end["max"].as_py() for end in ends)
    return int(last - first)


def build(
    dataset: Dataset, out: Path, spec: FeatureSpec, settings: Settings, cluster: Cluster | None = None
) -> Dataset:
    """Build the feature vectors of a dataset and of its test telemetry, atomically.

    Parameters
    ----------
    dataset : Dataset
    out : Path
    spec : FeatureSpec
    settings : Settings
        All sections of the configuration.
    cluster : Cluster, optional
        That of the stage; by default that of the settings.
    """
    # Late: loads numba's kernels, which every refusal would wait for.
    from netops.features.build import build_features

    try:
        with compute_cluster(settings.compute, cluster) as found:
            how = functools.partial(build_features, spec=spec, cluster=found, progress=progress.report)
            if dataset.test is not None:
                how(dataset.test, out / TEST)
            return how(dataset, out)
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise


def ingest_and_build(sources: Sequence[str], incidents: Path | None, settings: Settings, out: Path) -> Dataset:
    """Take telemetry from its sources and build its feature vectors.

    Parameters
    ----------
    sources : sequence of str
        Files, folders or addresses.
    incidents : Path, optional
        CSV of incidents.
    settings : Settings
        All sections of the configuration.
    out : Path
        Folder for the feature vectors; an existing folder must be a dataset, which is replaced.
    """
    refuse_foreign_files(out)
    with scratch_near(out, settings.compute) as scratch, compute_cluster(settings.compute) as cluster:
        dataset = open_or_ingest(
            sources,
            scratch / "telemetry",
            settings.telemetry,
            incidents=incidents,
            progress=progress.report,
            cluster=cluster,
        )
        dataset = with_logs(dataset, settings, scratch / "counted")
        return build(dataset, out, spec_for(dataset, settings), settings, cluster)
