"""Stage: generate the telemetry of a network."""

from functools import partial

from mlrun import MLClientCtx

from netops import progress
from netops.simulator.generate import generate as generate_telemetry
from netops.telemetry.settings import TELEMETRY
from netops.telemetry.sinks.rows import Rows
from netops.tracking.folders import log_dataset, new_folder
from netops.tracking.results import log_telemetry
from netops.workflows.settings import Settings
from netops.workflows.stages.champion_card import champion_card
from netops.workflows.stages.continuation import describe, period_of
from netops.workflows.stages.dask import compute_cluster
from netops.workflows.stages.feedback import with_feedback
from netops.workflows.stages.log_columns import with_generated_logs
from netops.workflows.stages.sink import send
from netops.workflows.stages.stage import stage


@stage
def generate(context: MLClientCtx, settings: str, network: str = "demo", continues: str = "false") -> None:
    """Generate telemetry with its incidents, and merge in feedback on the network.

    Parameters
    ----------
    network : str
        Whose telemetry it is.
    continues : str
        ``true``: begin where the last telemetry of the network ended, rather than at the configured start.

    Logs the dataset ``telemetry`` and its summary as results.
    """
    chosen = Settings.from_json(settings)
    fleet = chosen.fleet
    context.set_label("network", network)
    start, origin = period_of(network, fleet, continues=str(continues).lower() == "true")
    with compute_cluster(chosen.compute) as cluster:
        dataset = generate_telemetry(
            chosen.metrics,
            new_folder(context, "telemetry"),
            devices=fleet.devices,
            duration=fleet.duration,
            interval=fleet.interval,
            start=start,
            origin=origin,
            seed=fleet.seed,
            silent=chosen.generated_logs.silent_if_enabled,
            cluster=cluster,
            progress=progress.report,
        )
    champion = partial(champion_card, network)
    dataset = with_feedback(dataset, network, chosen.telemetry)
    dataset = with_generated_logs(dataset, chosen, start, origin, champion)
    log_dataset(context, "telemetry", dataset)
    send(chosen, network, TELEMETRY, Rows.of(dataset))
    log_telemetry(context, dataset)
    context.log_results(describe(start, origin, fleet))
