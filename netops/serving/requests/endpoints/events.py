"""``POST /events``: maintenance, configuration changes and alarms of devices."""

from collections.abc import Callable

import msgspec

from netops.serving.decode.times import nanoseconds
from netops.serving.engine.pipeline import NDJSON_TYPES
from netops.serving.engine.samples import BodyError
from netops.serving.logs.intake import MessageIntake
from netops.serving.logs.messages import Message
from netops.serving.requests.endpoint import Graph, GraphEndpoint, Request
from netops.serving.requests.endpoints.logs import Accepted, accepted
from netops.serving.requests.message_bodies import NOT_COUNTED, accept, intake_of, parsed
from netops.serving.requests.reply import JSON, Reply
from netops.serving.requests.schemas import Kind, Name, Time

#: Severity of an event.
_NONE = -1
_DECODER = msgspec.json.Decoder()


class EventBody(msgspec.Struct):
    """An event; other keys are ignored."""

    device: Name
    timestamp: Time
    kind: Kind


async def events(graph: Graph, request: Request) -> Reply:
    """Accept events: one, a list, or lines of JSON. The next sample of a device counts them."""
    runtime = graph.runtime
    with runtime.metrics.timed("events"):
        intake_of(runtime, "events")
        limit = runtime.settings.limits.batch
        values = await parsed(request.body, _values, request.body, request.content_type, limit)
        return accepted(await accept(graph, "events", map(_message, values), MessageIntake.add))


def _values(body: object, content_type: str, limit: int) -> list[object]:
    raw = body.encode() if isinstance(body, str) else body
    if isinstance(raw, bytes):
        is_lines = content_type.partition(";")[0].strip().lower() in NDJSON_TYPES
        raw = _decoded(raw, _DECODER.decode_lines if is_lines else _DECODER.decode)
    values = raw if isinstance(raw, list) else [raw]
    if len(values) > limit:
        raise BodyError(f"{len(values)} events in one request; the limit is {limit}", 413)
    return values


def _decoded(body: bytes, decode: Callable[[bytes], object]) -> object:
    try:
        return decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise BodyError(f"not valid JSON: {str(error)[:300]}", 400) from None


def _message(value: object) -> Message | str:
    try:
        event = msgspec.convert(value, EventBody)
        return Message(nanoseconds(event.timestamp), event.device, _NONE, event.kind)
    except (msgspec.ValidationError, ValueError) as error:
        return str(error)[:300]


EVENTS = GraphEndpoint(
    "POST",
    "/events",
    events,
    tag="telemetry",
    bodies={JSON: (EventBody, list[EventBody]), NDJSON_TYPES[0]: (bytes,)},
    errors=NOT_COUNTED,
    answers=Accepted,
)
