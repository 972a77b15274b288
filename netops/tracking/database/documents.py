"""JSON documents, times and labels, as the MLRun client sends and expects them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias, runtime_checkable

import mlrun.utils

from netops.config.durations import SECOND

#: A document of MLRun's: a function, run, artifact, project or schedule, with whatever MLRun puts into it.
Document: TypeAlias = dict[str, Any]
#: A time as MLRun's client gives it.
Moment: TypeAlias = datetime | str


@runtime_checkable
class _Documented(Protocol):
    def to_dict(self) -> Document: ...


@runtime_checkable
class _Model(Protocol):
    def dict(self) -> Document: ...


def encode(document: object) -> str:
    """Write JSON (numpy values and times become plain ones, as on the way to the service)."""
    return mlrun.utils.dict_to_json(document)


def decode(text: str) -> Document:
    """Read a document."""
    return json.loads(text)


def copy(document: object) -> Document:
    """Return a deep copy of the JSON-compatible content."""
    if isinstance(document, _Documented):
        document = document.to_dict()
    elif isinstance(document, _Model):
        document = document.dict()
    return decode(encode(document))


def now() -> datetime:
    """Return the time of a change from the clock of this machine; only for records."""
    return datetime.now(UTC)


def nanoseconds(time: Moment | None) -> int | None:
    """Turn a time of the client into int64 ns since the epoch; without a zone it is taken as UTC."""
    if not time:
        return None
    moment = time if isinstance(time, datetime) else datetime.fromisoformat(time)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds * 1000


def section(document: Document, name: str) -> Document:
    """Return a section of a document (``metadata``, ``spec``, ``status``), created if missing or null."""
    part = document.get(name)
    if not isinstance(part, dict):
        part = document[name] = {}
    return part


def labels_of(document: Document) -> dict[str, str]:
    """Read the labels of a document as text."""
    labels = section(document, "metadata").get("labels")
    return {str(key): str(value) for key, value in labels.items()} if isinstance(labels, Mapping) else {}
