"""Stage: put the champion in service, and prove that it answers as it was tested."""

import numpy as np
from mlrun import DataItem, MLClientCtx

from netops.models.onnx_file import Scorer
from netops.models.rows import gather
from netops.orchestration import registry
from netops.orchestration.platform import platform_for, previous_model
from netops.serving.deployment import roll_out
from netops.telemetry.dataset import Dataset
from netops.tracking.folders import local_folder, local_model

#: Rows, spread evenly over the telemetry, that are sent.
ROWS = 256


def deploy(context: MLClientCtx, model: DataItem, features: DataItem, network: str, settings: str = "{}") -> None:
    """Deploy a model and compare its answers with the offline predictions.

    With Nuclio it becomes the real-time function; elsewhere the graph is proven in this process. A difference
    fails the run, and puts the champion before it back in service.

    Parameters
    ----------
    model : mlrun.DataItem
        The champion.
    features : mlrun.DataItem
        Feature vectors to send.
    network : str
        Whose champion it is.

    Logs how many rows were compared, by how much they differ at most, and the address.
    """
    platform, address = platform_for(context, network, model, settings)
    try:
        scorer = Scorer(local_model(model))
        dataset = Dataset.open(local_folder(features))
        places = np.unique(np.linspace(0, dataset.meta.samples - 1, ROWS).astype(np.int64))
        rows = gather(dataset, scorer.card.features, places)
        difference, endpoint = roll_out(platform, address, previous_model(network), rows, scorer.score(rows))
    except Exception:
        registry.withdraw(network, "it did not answer as it was tested")
        raise
    context.log_results({"rows": len(rows), "difference": difference, "endpoint": endpoint})
