"""The MLRun serving function: the same object is started as a mock server here and deployed on Nuclio there."""

from pathlib import Path
from typing import Any

import mlrun
from mlrun.runtimes import ServingRuntime

MODEL_NAME = "netops"


def make_serving_function(
    project: str = "", name: str = "serving", model_path: str | Path = "", image: str = "mlrun/mlrun"
) -> ServingRuntime:
    """Make the function that answers ``/v2/models/netops/infer`` with a model.

    Parameters
    ----------
    project, name : str
        Where MLRun files the function, and under which name.
    model_path : str or Path
        A model folder, or the ``store://`` address of a model artifact.
    image : str
        Container image on a cluster.

    Returns
    -------
    ServingRuntime
        ``.to_mock_server().test("/v2/models/netops/infer", body={"inputs": rows})`` answers in process.
    """
    function: Any = mlrun.new_function(name, project=project, kind="serving", image=image)
    function.set_topology("router")
    function.add_model(MODEL_NAME, class_name="netops.serving.model_server.OnnxModel", model_path=str(model_path))
    return function
