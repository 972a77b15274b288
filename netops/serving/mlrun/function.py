"""The MLRun serving function, for the mock server and for deployment on Nuclio."""

from collections.abc import Mapping
from pathlib import Path

import mlrun
from mlrun.runtimes import ServingRuntime
from mlrun.serving.server import GraphServer, create_graph_server
from mlrun.utils import logger
from mlrun.utils.helpers import encode_user_code

from netops.serving.engine.runtime import Runtime
from netops.serving.mlrun.graph import STEPS, given

#: The code that Nuclio runs.
CODE = Path(__file__).with_name("nuclio_function.py")


def make_serving_function(
    project: str = "",
    name: str = "serving",
    model_path: str | Path = "",
    image: str = "mlrun/mlrun",
    network: str = "demo",
    parameters: Mapping[str, object] | None = None,
) -> ServingRuntime:
    """Create the function whose graph scores telemetry and returns risks, reasons and alerts.

    Parameters
    ----------
    project, name : str
        MLRun project, and name of the function.
    model_path : str or Path
        A model folder, the ``store://`` address of a model artifact, or a JSON file that names a folder. Default:
        the network's current champion in the project's registry.
    image : str
        Container image on a cluster; it must contain this package.
    network : str
        The served network.
    parameters : dict, optional
        ``state_path`` and the sections ``serving`` and ``alerting`` of the configuration.

    Returns
    -------
    ServingRuntime
        Use ``.to_mock_server().test("/v2/models/netops/infer", body={"inputs": rows})`` or
        ``.test("/telemetry", body=sample)`` to run it in process.
    """
    function: ServingRuntime = mlrun.code_to_function(
        name, project=project, kind="serving", image=image, filename=str(CODE)
    )
    # MLRun appends its own init_context and handler; replace the code, because Nuclio uses the last definitions.
    function.spec.build.functionSourceCode = encode_user_code(CODE.read_text(encoding="utf-8"))
    # MLRun runs code from a file only below the working directory; the embedded code is used instead.
    function.spec.build.origin_filename = None
    step = function.set_topology("flow", engine="sync")
    for key, step_class in STEPS.items():
        step = step.to(f"{step_class.__module__}.{step_class.__name__}", name=key)
    chosen = {"project": project, "network": network, "function": name, "model_path": str(model_path or "")}
    function.spec.parameters = chosen | dict(parameters or {})
    return function


def start_graph(function: ServingRuntime, runtime: Runtime) -> GraphServer:
    """Start a function's graph with a runtime, in this process and without a run database."""
    server = create_graph_server(graph=function.spec.graph, parameters=function.spec.parameters)
    server._get_db = lambda: None
    with given(runtime):
        server.init_states(context=None, namespace=[], logger=logger, is_mock=True)
        server.init_object([])
    return server
