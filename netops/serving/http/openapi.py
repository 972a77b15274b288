"""OpenAPI schemas of bodies that the handlers parse themselves."""

from dataclasses import dataclass

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Reference, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType


class Error(msgspec.Struct):
    """The reason why a request was rejected."""

    error: str


class Inference(msgspec.Struct):
    """Risks of feature vectors."""

    id: str
    model_name: str
    outputs: list[float | None]
    timestamp: str
    model_version: str


class ModelAnswer(msgspec.Struct):
    """The champion."""

    name: str
    version: str
    threshold: float | None
    horizon_seconds: float
    features: list[str]
    inputs: list[dict[str, str]]
    outputs: list[dict[str, str]]


ERRORS = {
    status: ResponseSpec(data_container=Error, description=about)
    for status, about in {
        400: "The request cannot be read",
        401: "The bearer token is missing or wrong",
        413: "The request is larger than a limit",
        415: "The content type is not supported",
    }.items()
}
UNKNOWN_DEVICE = ERRORS | {404: ResponseSpec(data_container=Error, description="The device is unknown")}

_TEXT = Schema(type=OpenAPIType.STRING)
_NUMBER = Schema(type=[OpenAPIType.NUMBER, OpenAPIType.NULL])
_TIME = Schema(
    one_of=[
        Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.DATE_TIME),
        Schema(type=OpenAPIType.NUMBER, minimum=0),
    ],
    description="ISO 8601, or s, ms, µs or ns since the epoch",
)
_SAMPLE = Schema(
    type=OpenAPIType.OBJECT,
    description="one device at one timestamp; further keys are metrics, or attributes, which are ignored",
    properties={"timestamp": _TIME, "device": _TEXT, "company": _TEXT, "data_center": _TEXT},
    required=["timestamp", "device"],
    additional_properties=_NUMBER,
)
_ANSWER_KEYS = ("device", "timestamp", "status", "risk", "alert", "reasons", "model", "probability")
_REASON = Schema(
    type=OpenAPIType.OBJECT,
    properties={"feature": _TEXT, "contribution": Schema(type=OpenAPIType.NUMBER), "text": _TEXT},
    required=["feature", "contribution"],
)
_ANSWER = Schema(
    type=OpenAPIType.OBJECT,
    properties={
        "device": Schema(type=[OpenAPIType.STRING, OpenAPIType.NULL]),
        "timestamp": Schema(type=[OpenAPIType.STRING, OpenAPIType.NUMBER, OpenAPIType.NULL]),
        "status": Schema(type=OpenAPIType.STRING, enum=["scored", "duplicate", "late", "rejected"]),
        "risk": Schema(type=[OpenAPIType.NUMBER, OpenAPIType.NULL], minimum=0, maximum=1),
        "alert": Schema(type=OpenAPIType.BOOLEAN),
        "reasons": Schema(type=OpenAPIType.ARRAY, items=_REASON),
        "model": _TEXT,
        "probability": Schema(
            type=[OpenAPIType.NUMBER, OpenAPIType.NULL],
            minimum=0,
            maximum=1,
            description="the calibrated risk; null from a model without calibration",
        ),
        "error": _TEXT,
    },
    required=list(_ANSWER_KEYS),
)


def stamp_schema() -> Schema:
    """Return the schema of a timestamp."""
    return _TIME


def _one_or_many(item: Schema) -> Schema:
    return Schema(one_of=[item, Schema(type=OpenAPIType.ARRAY, items=item)])


def _body(content: dict[str, Schema]) -> RequestBody:
    return RequestBody(content={kind: OpenAPIMediaType(schema=schema) for kind, schema in content.items()})


def _binary() -> Schema:
    return Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)


def _answer(operation: Operation, schema: Schema, about: str) -> None:
    content = {"application/json": OpenAPIMediaType(schema=schema)}
    responses: dict[str, OpenAPIResponse | Reference] = dict(operation.responses or {})
    responses["200"] = OpenAPIResponse(description=about, content=content)
    operation.responses = responses


@dataclass
class SamplesOperation(Operation):
    """``POST /telemetry``."""

    def __post_init__(self) -> None:
        self.request_body = _body(
            {
                "application/json": _one_or_many(_SAMPLE),
                "application/x-ndjson": _binary(),
                "application/vnd.apache.arrow.stream": _binary(),
                "application/vnd.apache.arrow.file": _binary(),
            }
        )
        _answer(self, _one_or_many(_ANSWER), "One answer per sample, in order")


@dataclass
class RemoteWriteOperation(Operation):
    """``POST /api/v1/write``."""

    def __post_init__(self) -> None:
        self.request_body = _body({"application/x-protobuf": _binary()})


@dataclass
class VectorsOperation(Operation):
    """``POST /v2/models/netops/infer``."""

    def __post_init__(self) -> None:
        row = Schema(type=OpenAPIType.ARRAY, items=_NUMBER)
        inputs = Schema(type=OpenAPIType.ARRAY, items=row, description="rows of features, in the model's order")
        self.request_body = _body(
            {
                "application/json": Schema(
                    type=OpenAPIType.OBJECT, properties={"inputs": inputs}, required=["inputs"]
                )
            }
        )
        outputs = Schema(type=OpenAPIType.ARRAY, items=_NUMBER)
        answer = Schema(
            type=OpenAPIType.OBJECT,
            properties={"outputs": outputs, "model_version": _TEXT},
            required=["outputs", "model_version"],
        )
        _answer(self, answer, "One risk per row")
