"""Stage: turn telemetry into feature vectors."""

from mlrun import DataItem, MLClientCtx

from netops.config.durations import SECOND
from netops.telemetry.dataset import Dataset
from netops.telemetry.settings import FEATURES
from netops.telemetry.sinks.rows import Rows
from netops.tracking.folders import local_folder, log_dataset, new_folder
from netops.training.labelled import require_learnable
from netops.workflows.settings import Settings
from netops.workflows.stages.dask import compute_cluster
from netops.workflows.stages.preparation import build, spec_for
from netops.workflows.stages.sink import send
from netops.workflows.stages.stage import stage


@stage
def features(context: MLClientCtx, telemetry: DataItem, settings: str, network: str = "demo") -> None:
    """Build feature vectors over the configured windows.

    Parameters
    ----------
    telemetry : mlrun.DataItem
        A telemetry dataset.
    network : str
        Whose telemetry it is.

    Logs the dataset ``features`` and, as results, the windows and the horizon that hold for this telemetry.
    """
    source = Dataset.open(local_folder(telemetry))
    chosen = Settings.from_json(settings)
    training = chosen.training
    horizon = training.horizon_for(source.meta.interval_seconds)
    with compute_cluster(chosen.compute) as cluster:
        require_learnable(source, horizon, training.split, training.seed, cluster)  # before the work
        spec = spec_for(source, chosen)
        dataset = build(source, new_folder(context, "features"), spec, chosen, cluster)
    log_dataset(context, "features", dataset)
    send(chosen, network, FEATURES, Rows.of(dataset))
    context.log_results(
        {
            "rows": dataset.meta.samples,
            "windows": [window // SECOND for window in spec.windows],
            "horizon_seconds": horizon / SECOND,
            "features": len(spec.names),
        }
    )
