"""``POST /loki/api/v1/push``: log lines from collectors that can write to Loki."""

import asyncio

import msgspec

from netops.logs.formats.collected import host_names
from netops.serving.decode.loki import JSON_TYPE, PushLimits, read_push
from netops.serving.engine.runtime import Runtime
from netops.serving.logs.intake import slices
from netops.serving.logs.messages import Counts, Message
from netops.serving.requests.endpoint import Graph, GraphEndpoint, Request
from netops.serving.requests.endpoints.logs import NOT_COUNTED, READER, accepted, finish_messages, intake_of
from netops.serving.requests.reply import Reply
from netops.serving.requests.service import INLINE

_PROTOBUF_TYPE = "application/x-protobuf"


async def loki_push(graph: Graph, request: Request) -> Reply:
    """Accept log messages from Promtail, Alloy, Vector and Fluent Bit, as Loki's push API does."""
    runtime, counts = graph.runtime, Counts()
    with runtime.metrics.timed("loki_push", 204):
        intake_of(runtime, "logs")
        for part in slices(await _read(runtime, request)):
            counts += intake_of(runtime, "logs").add(part)  # that of the champion, which may change meanwhile
            await asyncio.sleep(0)
        await finish_messages(graph)
        accepted(counts)
    return Reply(204, b"")


async def _read(runtime: Runtime, request: Request) -> list[Message | str]:
    settings = runtime.settings.messages
    body = _bytes(request.body)
    limits = PushLimits(runtime.settings.limits.body_bytes, settings.max_entries, settings.max_line)
    arguments = body, request.content_type, request.encoding, limits, host_names(settings.host_labels)
    if len(body) <= INLINE:
        return read_push(*arguments)
    return await asyncio.get_running_loop().run_in_executor(READER, read_push, *arguments)


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
