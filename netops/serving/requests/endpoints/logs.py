"""``POST /logs``: log messages of devices."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from netops.logs.formats.json import json_entries
from netops.logs.formats.protocol import Fields
from netops.serving.engine.pipeline import NDJSON_TYPES
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.logs.intake import MessageIntake
from netops.serving.logs.lines import fields_of
from netops.serving.logs.messages import STATUSES, UNREADABLE, Counts
from netops.serving.requests.endpoint import Graph, GraphEndpoint, Request
from netops.serving.requests.message_bodies import NOT_COUNTED, accept, intake_of, parsed
from netops.serving.requests.reply import JSON, Reply
from netops.serving.requests.schemas import Name

TEXT = "text/plain"


class Accepted(msgspec.Struct):
    """The number of messages by status, and the first few errors.

    ``late``: not later than the last sample of their device. ``ahead``: further ahead of the network time than
    ``serving.time.future_limit``. ``over_limit``: too many wait for the next sample of their device.
    """

    counted: int
    duplicate: int
    late: int
    ahead: int
    unknown_device: int
    over_limit: int
    unreadable: int
    errors: list[str]


class LogsQuery(msgspec.Struct):
    """Defaults of lines."""

    device: Annotated[Name | None, Meta(description="the device of lines that name none")] = None


async def logs(graph: Graph, request: Request, query: LogsQuery) -> Reply:
    """Accept log messages: syslog, or JSON as log stores export it. The next sample of a device counts them."""
    runtime = graph.runtime
    with runtime.metrics.timed("logs"):
        intake_of(runtime, "logs")
        kind = request.content_type.partition(";")[0].strip().lower()
        found = _read(request.body, kind, runtime)
        if kind in ("", JSON):  # a document; lines are parsed one by one
            found = iter(await parsed(request.body, list, found))
        add = partial(MessageIntake.add_fields, peer=query.device or "")
        return accepted(await accept(graph, "logs", found, add))


def accepted(counts: Counts) -> Reply:
    """Return the answer.

    Raises
    ------
    BodyError
        400 if no message could be read.
    """
    if counts.by_status[UNREADABLE] and counts.by_status[UNREADABLE] == sum(counts.by_status):
        raise BodyError(counts.errors[0], 400)
    values = dict(zip(STATUSES, counts.by_status, strict=True))
    return Reply(200, Accepted(**values, errors=counts.errors))


def _read(body: object, kind: str, runtime: Runtime) -> Iterator[Fields | str]:
    settings = runtime.settings.messages
    longest, labels = settings.max_line, settings.host_labels
    if isinstance(body, bytes):
        text = body.decode("utf-8", "replace")
    else:  # parsed by Nuclio or the mock server
        text = body if isinstance(body, str) else msgspec.json.encode(body).decode()
    if kind in ("", JSON):
        return _json([text], longest, labels, document=True)
    if text.count("\n") > settings.max_entries:  # before any of them is accepted
        raise BodyError(f"more than {settings.max_entries} lines in one request (messages.max_entries)", 413)
    if kind in NDJSON_TYPES:
        return _json(text.split("\n"), longest, labels)
    if kind != TEXT:
        raise BodyError(f"{kind}: not supported; send {TEXT}, {NDJSON_TYPES[0]} or {JSON}", 415)
    return fields_of((line.rstrip("\r") for line in text.split("\n") if line.strip()), longest)


def _json(lines: list[str], longest: int, labels: Sequence[str], document: bool = False) -> Iterator[Fields | str]:
    for _, found, _ in json_entries(iter([(1, lines)]), longest, document, labels):
        is_long = isinstance(found, Fields) and len(found.message) > longest
        yield f"longer than {longest:,} characters" if is_long else found


LOGS = GraphEndpoint(
    "POST",
    "/logs",
    logs,
    tag="telemetry",
    bodies={TEXT: (str,), NDJSON_TYPES[0]: (bytes,), JSON: (dict[str, Any], list[dict[str, Any]])},
    errors={**NOT_COUNTED, 415: "The content type is not supported"},
    answers=Accepted,
    query=LogsQuery,
)
