"""A server to be measured: ours, or MLRun's stock V2 model server with the native XGBoost model.

Both speak HTTP by the same stack: what differs is what answers.
"""

import sys
from pathlib import Path
from typing import Any


def ours(model: Path, state: Path, syslog: str) -> None:
    """Serve as ``netops serve`` does."""
    from netops.serving.engine.champion import FixedModel
    from netops.serving.http.serve import serve
    from netops.serving.settings import ServingSettings

    settings = ServingSettings(port=0, syslog=syslog)
    serve("demo", settings, source=FixedModel("bench", model), state=state, ready=ready)


def stock(model: Path, _state: Path, _syslog: str) -> None:
    """Serve MLRun's router with a V2 model server as its users write one."""
    import asyncio
    import socket

    import mlrun
    import uvicorn
    from litestar import Litestar, Request, Response, post
    from mlrun.serving.server import MockEvent

    function: Any = mlrun.new_function("stock", kind="serving")
    function.set_topology("router")
    function.add_model("netops", class_name="benchmarks.serving_stock.XGBoostModel", model_path=str(model))
    graph = function.to_mock_server()

    @post("/v2/models/netops/infer", status_code=200)
    async def infer(request: Request[Any, Any, Any]) -> Response[Any]:
        event = MockEvent(await request.body(), path="/v2/models/netops/infer", method="POST")
        return Response(graph.run(event, get_body=True), media_type="application/json")

    async def announce() -> None:
        await asyncio.sleep(0)
        ready(f"http://127.0.0.1:{listener.getsockname()[1]}")

    listener = socket.create_server(("127.0.0.1", 0))
    app = Litestar([infer], on_startup=[announce], logging_config=None)
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, date_header=False)
    uvicorn.Server(config).run(sockets=[listener])


def ready(url: str) -> None:
    """Say that requests are answered."""
    print("READY", url, flush=True)


if __name__ == "__main__":
    {"ours": ours, "stock": stock}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
