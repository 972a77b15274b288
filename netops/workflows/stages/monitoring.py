"""Compare a network's newest telemetry with its champion: report artifact and exported metrics."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from netops import progress, registry
from netops.config.paths import home
from netops.features.build import build_features
from netops.features.spec import FeatureSpec
from netops.models.card import read_card
from netops.monitoring.examine import examine
from netops.monitoring.exported import MonitoringMetrics
from netops.monitoring.picture import drift_picture
from netops.monitoring.report import Report
from netops.scheduling.retraining import network_of
from netops.simulator.generate import generate
from netops.telemetry.dataset import Dataset
from netops.telemetry.ingest import open_or_ingest
from netops.tracking.folders import local_model
from netops.tracking.mlrun_types import Project
from netops.tracking.records import RunRecord
from netops.workflows.project import load_project
from netops.workflows.records.runs import moment_of, workflows
from netops.workflows.records.summary import summarise
from netops.workflows.settings import Settings
from netops.workflows.stages.continuation import period_of
from netops.workflows.stages.feedback import merge_into_copy


def monitor(network: str, sources: Sequence[str], incidents: Path | None, settings: Settings) -> Report:
    """Compare telemetry with the reference of a network's champion, and keep the report as an artifact.

    Parameters
    ----------
    network : str
    sources : sequence of str
        Files, folders or addresses of telemetry; without any, the generated network continues for as long as it was
        trained on.
    incidents : Path, optional
        CSV of incidents, for concept drift, if the telemetry is not labelled.
    settings : Settings
        All sections of the configuration.

    Raises
    ------
    NetopsError
        If the network has no champion, or its model has no reference.
    """
    project = load_project()

    model = local_model(registry.the_champion(network).uri)
    card = read_card(model)
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch:
        folder = Path(scratch)
        if sources:
            telemetry = open_or_ingest(
                sources, folder / "telemetry", settings.telemetry, incidents, progress.report, card.schema
            )
        else:
            telemetry = _generated(network, folder / "telemetry", settings)
        telemetry = merge_into_copy(telemetry, network, settings.telemetry, folder)
        spec = FeatureSpec.from_dict(card.spec)
        features = build_features(telemetry, folder / "features", spec, progress=progress.report)
        report = examine(features, model, settings.monitoring)
    _keep(project, report)
    return report


def _generated(network: str, out: Path, settings: Settings) -> Dataset:
    """Continue the generated network from the end of its last telemetry."""
    fleet = settings.fleet
    start, origin = period_of(network, fleet, continues=True)
    if start == origin:  # it was generated elsewhere
        start += fleet.duration
    return generate(
        settings.metrics,
        out,
        devices=fleet.devices,
        duration=fleet.duration,
        interval=fleet.interval,
        start=start,
        seed=fleet.seed,
        origin=origin,
        silent=settings.generated_logs.silent_if_enabled,
        progress=progress.report,
    )


def _keep(project: Project, report: Report) -> None:
    """Log the report and its picture as artifacts of the project."""
    base = str(project.spec.artifact_path or home() / "artifacts")
    path = f"{base.rstrip('/')}/monitoring/{report.network}"
    labels = {"network": report.network, "version": report.version, "drift": str(bool(report.drifted)).lower()}
    name = f"{report.network}-drift"
    body = json.dumps(report.to_dict())
    project.log_artifact(name, body=body, format="json", labels=labels, artifact_path=path)
    picture = drift_picture(report)
    project.log_artifact(f"{name}-picture", body=picture, format="png", labels=labels, artifact_path=path)


def export(report: Report, metrics: MonitoringMetrics) -> None:
    """Set all gauges of a network: drift, runs of its pipelines, figures of its champion."""
    report.export(metrics)
    runs = [run for run in workflows() if network_of(run) == report.network]
    for workflow in dict.fromkeys(run["metadata"]["name"] for run in runs):
        _export_runs(workflow, [run for run in runs if run["metadata"]["name"] == workflow], metrics)
    champion = registry.champion(report.network)
    if champion is not None:
        metrics.model(champion.family, champion.version, champion.metrics)


def _export_runs(workflow: str, runs: list[RunRecord], metrics: MonitoringMetrics) -> None:

    states = [run["status"]["state"] for run in runs]
    metrics.runs(workflow, {state: states.count(state) for state in set(states)})
    ended = [run for run in runs if run["status"]["state"] not in ("running", "pending")]
    if not ended:
        return
    last = max(ended, key=lambda run: str(run["status"]["start_time"]))
    stages = summarise(last["metadata"]["uid"])["stages"]
    at = moment_of(last["status"].get("end_time") or last["status"]["last_update"]).timestamp()
    metrics.run_ended(
        workflow,
        last["status"]["state"] != "completed",
        at,
        {name: stage["seconds"] for name, stage in stages.items()},
        {name: stage["rows"] for name, stage in stages.items() if stage["rows"] is not None},
    )
