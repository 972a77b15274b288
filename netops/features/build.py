"""Features of a dataset: from telemetry to feature vectors, file by file."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from netops.compute.cluster import Cluster
from netops.errors import NetopsError, UsageError
from netops.features.part import build_part
from netops.features.spec import FeatureSpec, SpecValues
from netops.progress import Progress, silent
from netops.telemetry.dataset import Dataset, finish
from netops.threads import cpus


def build_features(
    source: Dataset,
    out: Path,
    spec: FeatureSpec,
    *,
    threads: int | None = None,
    cluster: Cluster | None = None,
    progress: Progress = silent,
) -> Dataset:
    """Compute the feature vector of every sample of a dataset.

    Parameters
    ----------
    source : Dataset
        The telemetry.
    out : Path
        Folder to write: device, time, attributes, ``is_error`` and the features (float64), in the same files as the
        source; existing contents are replaced. Incidents and verdicts are copied.
    spec : FeatureSpec
        The features.
    threads : int, optional
        Number of threads, all CPUs if None.
    cluster : Cluster, optional
        Whose workers compute, one file at a time; they must have access to both folders.
    progress : Progress
        Called with the number of processed samples.

    Returns
    -------
    Dataset
        Its bytes depend only on the source and the spec.

    Raises
    ------
    NetopsError
        If a metric of the spec is missing, or the telemetry is not sorted; no files remain.
    """
    _check(source, out, spec)
    _clear(out)
    jobs = [(part, out / part.name) for part in source.parts]
    counter = _Counter(progress, source.meta.samples)
    try:
        if cluster is not None:
            _build_on(cluster, jobs, spec, source.meta.attributes, counter)
        else:
            _build_parts(jobs, spec, source.meta.attributes, threads or cpus(), counter)
    except BaseException:
        _clear(out)
        raise
    _drop_drafts(out)
    meta = dataclasses.replace(source.meta, metrics=spec.metrics, features=spec.to_dict())
    return finish(out, meta, source.incidents(), source.verdicts())


def _check(source: Dataset, out: Path, spec: FeatureSpec) -> None:
    if lost := [name for name in spec.metrics if name not in source.meta.metrics]:
        known = ", ".join(source.meta.metrics)
        raise NetopsError(f"{source.path}: metric '{lost[0]}' is missing; existing metrics: {known}")
    if taken := {*source.meta.attributes, "timestamp", "device", "is_error"} & set(spec.names):
        raise UsageError(f"{source.path}: a feature and another column are both named '{min(taken)}'")
    if out.resolve() == source.path.resolve():
        raise UsageError(f"{out}: contains the telemetry itself; choose another folder for the features")


def _clear(out: Path) -> None:
    """Remove an earlier dataset, its description first, so that it is marked as unfinished."""
    extra = (out / "_incidents.parquet", out / "_verdicts.parquet")
    for path in (out / "_meta.json", *sorted(out.glob("part-*.parquet")), *extra):
        path.unlink(missing_ok=True)
    _drop_drafts(out)


def _drop_drafts(out: Path) -> None:
    """Remove incomplete files of killed processes."""
    for path in out.glob(".part-*.tmp"):
        path.unlink(missing_ok=True)


def _build_on(
    cluster: Cluster,
    jobs: list[tuple[Path, Path]],
    spec: FeatureSpec,
    attributes: tuple[str, ...],
    counter: "_Counter",
) -> None:
    tasks = [(str(part.resolve()), str(out.resolve()), spec.to_dict(), attributes) for part, out in jobs]
    for _, rows in cluster.run(_build_task, tasks):
        counter(rows)


def _build_task(source: str, out: str, spec: SpecValues, attributes: tuple[str, ...]) -> int:
    return build_part(Path(source), Path(out), FeatureSpec.from_dict(spec), attributes)


def _build_parts(
    jobs: list[tuple[Path, Path]], spec: FeatureSpec, attributes: tuple[str, ...], threads: int, counter: "_Counter"
) -> None:
    at_once = max(1, min(threads, len(jobs)))
    with ThreadPoolExecutor(at_once) as pool:
        futures = [
            pool.submit(build_part, *job, spec, attributes, max(1, threads // at_once), counter) for job in jobs
        ]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


class _Counter:
    """Sum the progress of several threads."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done, self._lock = progress, total, 0, Lock()

    def __call__(self, rows: int) -> None:
        with self._lock:
            self._done += rows
            self._progress(self._done, self._total, "features")
