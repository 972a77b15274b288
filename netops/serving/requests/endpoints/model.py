"""``/v2/models/netops``: the champion, by MLRun's V2 protocol."""

import msgspec

from netops.serving.engine.inference import MODEL_NAME
from netops.serving.requests.endpoint import Graph, GraphEndpoint, Request
from netops.serving.requests.reply import JSON, Reply

MODEL_PATH = f"/v2/models/{MODEL_NAME}"


class Vectors(msgspec.Struct):
    """Rows of features, in the model's order."""

    inputs: list[list[float | None]]


class Inference(msgspec.Struct):
    """One risk per row."""

    outputs: list[float | None]
    model_version: str
    id: str = ""
    model_name: str = MODEL_NAME
    timestamp: str = ""


class ModelAnswer(msgspec.Struct):
    """The champion."""

    name: str
    version: str
    threshold: float | None
    horizon_seconds: float
    features: list[str]
    inputs: list[dict[str, str]]
    outputs: list[dict[str, str]]


async def infer(graph: Graph, request: Request) -> Reply:
    """Score feature vectors (MLRun's V2 protocol)."""
    with graph.runtime.metrics.timed("infer") as timed:
        timed.code, found = await graph.score(request.body, request.path)
    return Reply(timed.code, found)


async def model(graph: Graph, _: Request) -> Reply:
    """Return the features, version and threshold of the champion."""
    return Reply(200, msgspec.convert(graph.infer(b"", MODEL_PATH, "GET")[1], ModelAnswer))


INFER = GraphEndpoint(
    "POST", f"{MODEL_PATH}/infer", infer, tag="model", bodies={JSON: (Vectors,)}, answers=Inference, is_fast=True
)
#: Other operations of the protocol, as ``versions/<version>/infer``: loading a version would block the HTTP server.
OPERATION = GraphEndpoint(
    "POST",
    f"{MODEL_PATH}/{{operation:path}}",
    infer,
    tag="model",
    bodies={JSON: (Vectors,)},
    answers=Inference,
    is_http=False,
)
MODEL = GraphEndpoint("GET", MODEL_PATH, model, tag="model", answers=ModelAnswer)
