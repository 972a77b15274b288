"""``POST /loki/api/v1/push``: log lines from collectors that can write to Loki."""

import msgspec

from netops.logs.formats.collected import host_names
from netops.serving.decode.loki import JSON_TYPE, PushLimits, read_push
from netops.serving.engine.runtime import Runtime
from netops.serving.logs.intake import MessageIntake
from netops.serving.logs.messages import Message
from netops.serving.requests.endpoint import Graph, GraphEndpoint, Request
from netops.serving.requests.endpoints.logs import accepted
from netops.serving.requests.message_bodies import NOT_COUNTED, accept, intake_of, parsed
from netops.serving.requests.reply import Reply

_PROTOBUF_TYPE = "application/x-protobuf"


async def loki_push(graph: Graph, request: Request) -> Reply:
    """Accept log messages from Promtail, Alloy, Vector and Fluent Bit, as Loki's push API does."""
    runtime = graph.runtime
    with runtime.metrics.timed("loki_push", 204):
        intake_of(runtime, "logs")
        accepted(await accept(graph, "logs", await _read(runtime, request), MessageIntake.add))
    return Reply(204, b"")


async def _read(runtime: Runtime, request: Request) -> list[Message | str]:
    settings = runtime.settings.messages
    body = _bytes(request.body)
    limits = PushLimits(runtime.settings.limits.body_bytes, settings.max_entries, settings.max_line)
    arguments = body, request.content_type, request.encoding, limits, host_names(settings.host_labels)
    return await parsed(body, read_push, *arguments)


def _bytes(body: object) -> bytes:
    """Return the body; Nuclio may have decoded it."""
    if isinstance(body, bytes):
        return body
    return body.encode("utf-8", "replace") if isinstance(body, str) else msgspec.json.encode(body)


LOKI_PUSH = GraphEndpoint(
    "POST",
    "/loki/api/v1/push",
    loki_push,
    tag="telemetry",
    bodies={_PROTOBUF_TYPE: (bytes,), JSON_TYPE: (bytes,)},
    errors=NOT_COUNTED,
    status=204,
)
