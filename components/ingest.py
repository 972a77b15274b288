"""Stage: take telemetry from where its owner keeps it, checked and in one form."""

import json
from functools import partial
from pathlib import Path

from mlrun import MLClientCtx

from netops import progress
from netops.compute.cluster import Cluster
from netops.telemetry.checks.run import check_telemetry
from netops.telemetry.dataset import TEST, Dataset
from netops.telemetry.ingest import ingest as ingest_telemetry
from netops.telemetry.network_schema import NetworkSchema
from netops.telemetry.settings import TELEMETRY, TelemetrySettings
from netops.telemetry.sinks.rows import Rows
from netops.tracking.folders import log_dataset, new_folder
from netops.tracking.results import log_telemetry, summary_lines
from netops.workflows.settings import Settings
from netops.workflows.stages.artifact_inputs import fetch
from netops.workflows.stages.champion_card import champion_card
from netops.workflows.stages.dask import compute_cluster, scratch_near
from netops.workflows.stages.feedback import with_feedback
from netops.workflows.stages.log_columns import with_logs
from netops.workflows.stages.log_samples import ingest_logs, with_log_devices
from netops.workflows.stages.sink import send
from netops.workflows.stages.stage import stage


@stage
def ingest(
    context: MLClientCtx,
    settings: str,
    telemetry: str,
    incidents: str = "",
    test: str = "",
    test_incidents: str = "",
    network: str = "",
) -> None:
    """Convert telemetry to the schema.

    Parameters
    ----------
    network : str
        Network of the telemetry: feedback on its alerts and incidents is merged in, the messages of its logs are
        counted, and it goes to the sink. Empty: none of these.
    telemetry, test : str
        Sources of training and, if separate, test telemetry; several are separated by ``|``;
        files of a store (``s3://…``) are downloaded.
        No ``telemetry``: the samples are those of the devices of ``logs.paths``.
    incidents, test_incidents : str
        CSV of the incidents of each.

    Logs the dataset ``telemetry``; test telemetry is in its folder ``_test``.
    """
    chosen = Settings.from_json(settings)
    folder, options = new_folder(context, "telemetry"), chosen.telemetry
    with scratch_near(folder, chosen.compute) as scratch, compute_cluster(chosen.compute) as cluster:
        dataset = (
            _ingest(telemetry, incidents, folder, options, scratch, cluster=cluster)
            if telemetry
            else ingest_logs(chosen, folder, scratch, _fetched(incidents, scratch))
        )
        if telemetry and network and chosen.logs.only:
            dataset = with_log_devices(dataset, chosen, folder, scratch, _fetched(incidents, scratch))
        if test:
            like = NetworkSchema.of(dataset.meta)
            _ingest(test, test_incidents, folder / TEST, options, scratch, like, cluster)
    if network:
        dataset = with_feedback(dataset, network, options)
    if telemetry:
        _check(context, dataset, chosen)
    if network:  # without one, the champion that scores the telemetry declares what is counted
        dataset = with_logs(dataset, chosen, champion=partial(champion_card, network))
    if not telemetry:  # the counts are all there is to check
        _check(context, dataset, chosen)
    log_dataset(context, "telemetry", dataset)
    if network:
        send(chosen, network, TELEMETRY, Rows.of(dataset))
    log_telemetry(context, dataset)


def _ingest(
    sources: str,
    incidents: str,
    folder: Path,
    options: TelemetrySettings,
    scratch: Path,
    like: NetworkSchema | None = None,
    cluster: Cluster | None = None,
) -> Dataset:
    paths = [fetch(source, scratch) for source in sources.split("|")]
    log = _fetched(incidents, scratch)
    return ingest_telemetry(paths, folder, options, log, progress.report, like, cluster=cluster)


def _fetched(incidents: str, scratch: Path) -> Path | None:
    return Path(fetch(incidents, scratch)) if incidents else None


def _check(context: MLClientCtx, dataset: Dataset, settings: Settings) -> None:
    """Log and print the findings of the checks; a refused check fails the run."""
    horizon = settings.training.horizon_for(dataset.meta.interval_seconds)
    report = check_telemetry(dataset, settings.telemetry.checks, horizon, progress=progress.report)
    body = json.dumps(report.to_dict())
    context.log_artifact("checks", body=body, format="json", local_path="checks.json")
    for line in (*summary_lines(dataset.meta), *report.lines()):
        progress.say(line)
    report.raise_if_refused()
