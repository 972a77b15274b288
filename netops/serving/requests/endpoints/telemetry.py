"""``POST /telemetry``: samples in, one answer each."""

from typing import Annotated, Any, TypeAlias

import msgspec

from netops.serving.engine.pipeline import ARROW_TYPES
from netops.serving.engine.samples import Answer
from netops.serving.requests.endpoint import Bodies, Graph, GraphEndpoint, Request
from netops.serving.requests.reply import JSON, Reply

_TIME = {
    "oneOf": [{"type": "string", "format": "date-time"}, {"type": "number", "minimum": 0}],
    "description": "ISO 8601, or s, ms, µs or ns since the epoch",
}
_TEXT = {"type": "string"}
_FIELDS: dict[str, Any] = {
    "properties": {"timestamp": _TIME, "device": _TEXT, "company": _TEXT, "data_center": _TEXT},
    "required": ["timestamp", "device"],
}
_ABOUT = "one device at one timestamp; further keys are metrics, or attributes, which are ignored"
#: A sample, as it is described; ``decode.json`` reads it.
Sample: TypeAlias = Annotated[dict[str, float | None], msgspec.Meta(description=_ABOUT, extra_json_schema=_FIELDS)]
_BODIES: Bodies = {
    JSON: (Sample, list[Sample]),
    "application/x-ndjson": (bytes,),
    **dict.fromkeys(ARROW_TYPES, (bytes,)),
}


async def telemetry(graph: Graph, request: Request) -> Reply:
    """Score samples; return risk, alert and reasons for each: an object for an object, a list for a list."""
    with graph.runtime.metrics.timed("telemetry"):
        return Reply(200, await graph.process(request.body, request.content_type))


TELEMETRY = GraphEndpoint(
    "POST",
    "/telemetry",
    telemetry,
    tag="telemetry",
    bodies=_BODIES,
    answers=Answer | list[Answer],
    errors={415: "The content type is not supported"},
    is_fast=True,
)
