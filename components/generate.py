"""Stage: generate the telemetry of a network."""

from mlrun import MLClientCtx

from netops import progress
from netops.orchestration.settings import generator_settings, section, start_of
from netops.telemetry.generator.generate import generate as generate_telemetry
from netops.tracking.folders import log_dataset, new_folder
from netops.tracking.results import log_telemetry


def generate(context: MLClientCtx, settings: str) -> None:
    """Generate telemetry with its incidents.

    Logs the dataset ``telemetry``, and what it holds as results.
    """
    fleet = section(settings, "fleet")
    dataset = generate_telemetry(
        generator_settings(settings),
        new_folder(context, "telemetry"),
        devices=fleet.devices,
        duration=fleet.duration,
        interval=fleet.interval,
        start=start_of(fleet),
        seed=fleet.seed,
        progress=progress.report,
    )
    log_dataset(context, "telemetry", dataset)
    log_telemetry(context, dataset)
