"""Stage: the risk of every sample of a batch, by the model in service."""

import tempfile
from pathlib import Path

from mlrun import DataItem, MLClientCtx

from netops import registry
from netops.telemetry.settings import RISKS
from netops.telemetry.sinks.rows import Rows
from netops.tracking.folders import local_folder, local_model
from netops.workflows.settings import Settings
from netops.workflows.stages.scoring import score as score_telemetry
from netops.workflows.stages.sink import send
from netops.workflows.stages.stage import stage


@stage
def score(context: MLClientCtx, telemetry: DataItem, network: str, settings: str) -> None:
    """Score telemetry with the champion of its network.

    Parameters
    ----------
    telemetry : mlrun.DataItem
        A telemetry dataset.
    network : str
        Whose champion.

    Logs ``risks``, a Parquet file: timestamp, device, risk, model_version, probability.
    """
    chosen = Settings.from_json(settings)
    champion = registry.the_champion(network)
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch:
        out = Path(scratch) / "risks.parquet"
        rows = score_telemetry([str(local_folder(telemetry))], local_model(champion.uri), chosen, out)
        context.log_artifact("risks", local_path=str(out), format="parquet")
        send(chosen, network, RISKS, Rows.of_risks(out, rows))
    context.log_results({"rows": rows, "model_version": champion.version, "family": champion.family})
