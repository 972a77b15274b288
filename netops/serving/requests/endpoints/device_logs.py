"""``GET /devices/{device}/logs``: the last messages of a device."""

from typing import Annotated
from urllib.parse import unquote

import msgspec
from msgspec import Meta

from netops.logs.severity import DEBUG, UNKNOWN, name_of
from netops.serving.engine.partitions import owner_of
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.logs.recent_lines import Line
from netops.serving.requests.endpoint import StateEndpoint
from netops.serving.requests.processes import ByName
from netops.serving.requests.schemas import DeviceLogs, LogLine


class DeviceLogsQuery(msgspec.Struct):
    """Which messages."""

    device: Annotated[str, Meta(description="name of the device; a slash in it is written %252F")]
    limit: Annotated[int, Meta(ge=1, le=10_000, description="maximum number of messages")] = 200
    severity: Annotated[
        int,
        Meta(ge=0, le=7, description="highest severity number: 3 is errors and worse, 7 is all, unknown ones too"),
    ] = DEBUG
    text: Annotated[str, Meta(description="text that a message or its template contains, in any case")] = ""


def device_logs(runtime: Runtime, query: DeviceLogsQuery) -> DeviceLogs:
    """Return the last messages of a device, newest first, secrets masked; empty without ``serving.messages.keep``.

    Raises
    ------
    BodyError
        If the device is unknown.
    """
    parts = runtime.parts
    device = query.device if owner_of(parts, query.device) is not None else unquote(query.device)
    owner = owner_of(parts, device)
    if owner is None or (code := owner.state.table.code(device)) is None:
        raise BodyError(f"no device {device!r}; see GET /devices", 404)
    kept = owner.state.lines
    found = [line for line in kept.of(code) if _is_wanted(line, query)]
    lines = [
        LogLine(line.time // 10**6, name_of(line.severity), line.template or None, line.text)
        for line in found[: query.limit]
    ]
    return DeviceLogs(device, kept.kept, lines)


def _is_wanted(line: Line, query: DeviceLogsQuery) -> bool:
    if line.severity == UNKNOWN and query.severity < DEBUG:
        return False
    return line.severity <= query.severity and query.text.casefold() in f"{line.text} {line.template}".casefold()


DEVICE_LOGS = StateEndpoint(
    "GET",
    "/devices/{device}/logs",
    device_logs,
    errors={404: "The device is unknown"},
    combine=ByName("device"),
)
