"""HTTP endpoints of feedback and incidents."""

from dataclasses import dataclass

from litestar import get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromPath

from netops.feedback.records import Feedback
from netops.serving.engine.runtime import Runtime
from netops.serving.http.framework import Handlers, Received
from netops.serving.http.openapi import ERRORS, Error, stamp_schema
from netops.serving.requests import feedback

_TEXT = Schema(type=OpenAPIType.STRING)
_INCIDENT = Schema(
    type=OpenAPIType.OBJECT,
    description="an incident, identified by source and id",
    properties={
        "device": _TEXT,
        "start": stamp_schema(),
        "end": stamp_schema(),
        "scenario": _TEXT,
        "cause": _TEXT,
        "source": _TEXT,
        "id": _TEXT,
    },
    required=["device", "start"],
)
_ALERTMANAGER = Schema(
    type=OpenAPIType.OBJECT,
    description="an Alertmanager webhook message",
    properties={"alerts": Schema(type=OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.OBJECT))},
    required=["alerts"],
)


@dataclass
class VerdictOperation(Operation):
    """``POST /alerts/{id}/feedback``."""

    def __post_init__(self) -> None:
        self.request_body = _json(
            Schema(
                type=OpenAPIType.OBJECT,
                properties={
                    "verdict": Schema(type=OpenAPIType.STRING, enum=["confirmed", "dismissed", "repaired"]),
                    "by": _TEXT,
                    "note": _TEXT,
                    "repaired_at": stamp_schema(),
                },
                required=["verdict"],
            )
        )


@dataclass
class IncidentsOperation(Operation):
    """``POST /incidents``."""

    def __post_init__(self) -> None:
        many = Schema(type=OpenAPIType.ARRAY, items=_INCIDENT)
        self.request_body = _json(Schema(one_of=[_INCIDENT, many, _ALERTMANAGER]))


def _json(schema: Schema) -> RequestBody:
    return RequestBody(content={"application/json": OpenAPIMediaType(schema=schema)})


def feedback_handlers(runtime: Runtime) -> Handlers:
    """Create the handlers."""
    unknown = ERRORS | {404: ResponseSpec(data_container=Error, description="The alert does not exist")}

    @post(
        "/alerts/{name:str}/feedback",
        status_code=200,
        operation_class=VerdictOperation,
        responses=unknown,
        tags=["feedback"],
    )
    async def record_verdict(name: FromPath[str], request: Received) -> feedback.FeedbackAnswer:
        """Record feedback on an alert: confirmed, dismissed, or repaired before the failure."""
        return feedback.record_verdict(runtime, name, await request.body())

    @post("/incidents", status_code=200, operation_class=IncidentsOperation, responses=ERRORS, tags=["feedback"])
    async def record(request: Received) -> feedback.Recorded:
        """Record incidents; known ones are updated."""
        return feedback.record(runtime, await request.body())

    @get("/feedback", responses=ERRORS, tags=["feedback"])
    async def everything() -> Feedback:
        """Return all recorded incidents and current feedback labels, for a training on another machine."""
        return feedback.feedback(runtime)

    return [record_verdict, record, everything]
