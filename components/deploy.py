"""Stage: put the champion behind the serving graph, and prove that it answers as it was tested."""

from typing import Any

import numpy as np
from mlrun import DataItem, MLClientCtx

from netops.errors import NetopsError
from netops.models.onnx_file import Scorer
from netops.models.rows import gather
from netops.orchestration import registry
from netops.serving.function import MODEL_NAME, make_serving_function
from netops.telemetry.dataset import Dataset
from netops.tracking.folders import local_folder, local_model

#: Rows of the newest telemetry that are sent, and how far an answer may be from the offline risk.
ROWS, TOLERANCE = 256, 1e-6


def deploy(context: MLClientCtx, model: DataItem, features: DataItem, network: str) -> None:
    """Deploy a model and compare its answers with the offline predictions.

    A difference fails the run, and puts the champion before it back in service.

    Parameters
    ----------
    model : mlrun.DataItem
        The champion.
    features : mlrun.DataItem
        Feature vectors to send.

    Logs how many rows were compared, and by how much they differ at most.
    """
    try:
        _prove(context, model, features, network)
    except Exception:
        registry.withdraw(network, "it did not answer as it was tested")
        raise


def _prove(context: MLClientCtx, model: DataItem, features: DataItem, network: str) -> None:
    folder = local_model(model)
    scorer = Scorer(folder)
    rows = _rows(Dataset.open(local_folder(features)), scorer.card.features)
    server = make_serving_function(context.project, f"{network}-serving", folder).to_mock_server()
    answer = server.test(f"/v2/models/{MODEL_NAME}/infer", body={"inputs": _plain(rows)})
    server.wait_for_completion()
    served, offline = np.array(answer["outputs"], dtype=float), scorer.score(rows)
    difference = float(np.abs(served - offline).max())
    if len(served) != len(rows) or not difference <= TOLERANCE:
        raise NetopsError(f"the served model differs from the tested one by {difference:.3g}; it is not deployed")
    context.log_results({"rows": len(rows), "difference": difference, "endpoint": f"/v2/models/{MODEL_NAME}/infer"})


def _rows(dataset: Dataset, names: tuple[str, ...]) -> Any:
    """Take rows spread evenly over the dataset."""
    places = np.unique(np.linspace(0, dataset.meta.samples - 1, ROWS).astype(np.int64))
    return gather(dataset, names, places)


def _plain(rows: Any) -> list[list[float | None]]:
    return [[None if value != value else value for value in row] for row in rows.tolist()]
