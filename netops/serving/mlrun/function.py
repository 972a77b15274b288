"""The MLRun serving function: the same object is started as a mock server here and deployed on Nuclio there."""

from pathlib import Path
from typing import Any

import mlrun
from mlrun.runtimes import ServingRuntime
from mlrun.serving.server import GraphServer, create_graph_server
from mlrun.utils.helpers import encode_user_code

from netops.serving.engine.runtime import Runtime
from netops.serving.mlrun.graph import MODEL_NAME, STEPS, given

#: The code that Nuclio runs.
CODE = Path(__file__).with_name("nuclio_function.py")

__all__ = ["MODEL_NAME", "make_serving_function", "start_graph"]


def make_serving_function(
    project: str = "",
    name: str = "serving",
    model_path: str | Path = "",
    image: str = "mlrun/mlrun",
    network: str = "demo",
    parameters: dict[str, Any] | None = None,
) -> ServingRuntime:
    """Make the function whose graph takes telemetry and answers with risks, reasons and alerts.

    Parameters
    ----------
    project, name : str
        Where MLRun files the function, and under which name.
    model_path : str or Path
        A model folder, the ``store://`` address of a model artifact, or a JSON file that names a folder; without
        one the network's champion in the project's registry, and each new one after it.
    image : str
        Container image on a cluster; it must have this package in it, as the project's own does.
    network : str
        The network it serves.
    parameters : dict, optional
        ``state_path`` and the sections ``serving`` and ``alerting`` of the configuration.

    Returns
    -------
    ServingRuntime
        ``.to_mock_server().test("/v2/models/netops/infer", body={"inputs": rows})`` answers in process, and so
        does ``.test("/telemetry", body=sample)``.
    """
    function: Any = mlrun.code_to_function(name, project=project, kind="serving", image=image, filename=str(CODE))
    # MLRun has appended its own init_context and handler, and on Nuclio the last ones of a name count: ours.
    function.spec.build.functionSourceCode = encode_user_code(CODE.read_text(encoding="utf-8"))
    # From its file MLRun would run it here only where that lies below the working directory; the code is embedded.
    function.spec.build.origin_filename = None
    step = function.set_topology("flow", engine="sync")
    for key, step_class in STEPS.items():
        step = step.to(f"{step_class.__module__}.{step_class.__name__}", name=key)
    chosen = {"project": project, "network": network, "function": name, "model_path": str(model_path or "")}
    function.spec.parameters = chosen | (parameters or {})
    return function


def start_graph(function: ServingRuntime, runtime: Runtime) -> GraphServer:
    """Start a function's graph over a runtime, in this process and without a run database."""
    from mlrun.utils import logger

    server = create_graph_server(graph=function.spec.graph, parameters=function.spec.parameters)
    server._get_db = lambda: None
    with given(runtime):
        server.init_states(context=None, namespace=[], logger=logger, is_mock=True)
        server.init_object([])
    return server
