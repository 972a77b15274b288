"""The OpenAPI description of the declared endpoints."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from netops import __version__
from netops.serving.requests.endpoint import Endpoint
from netops.serving.requests.parameters import Parameters
from netops.serving.requests.reply import JSON
from netops.serving.requests.scope import ALL, OWN, SCOPE, SCOPE_HELP

#: A document of OpenAPI, or a part of it.
Document: TypeAlias = dict[str, Any]
_BINARY: Document = {"type": "string", "format": "binary"}
_TEXT: Document = {"type": "string"}
_SCOPE: Document = {
    "name": SCOPE,
    "in": "query",
    "required": False,
    "description": SCOPE_HELP,
    "schema": {"enum": [ALL, OWN], "default": ALL},
}


class Error(msgspec.Struct):
    """The reason why a request was rejected."""

    error: str


def describe(endpoints: Sequence[Endpoint], with_token: bool) -> Document:
    """Describe endpoints.

    Parameters
    ----------
    endpoints : sequence of Endpoint
    with_token : bool
        Whether a bearer token is required.
    """
    schemas = _Schemas(endpoints)
    paths: Document = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path.replace(":path}", "}"), {})[endpoint.method.lower()] = _operation(
            endpoint, schemas
        )
    components: Document = {"schemas": schemas.components}
    document: Document = {
        "openapi": "3.1.0",
        "info": {"title": "NetOps", "version": __version__, "description": "Scores telemetry and raises alerts."},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": components,
    }
    if with_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


class _Schemas:
    """The JSON schemas of all types."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._types = [Error, *(each for endpoint in endpoints for each in _types(endpoint))]
        self._found, self.components = msgspec.json.schema_components(
            self._types, ref_template="#/components/schemas/{name}"
        )
        self.components = dict(sorted(self.components.items()))

    def __getitem__(self, kind: Any) -> Document:
        return self._found[self._types.index(kind)]


def _types(endpoint: Endpoint) -> Iterator[Any]:
    """Yield the types that are sent as JSON."""
    for kinds in endpoint.body.values():
        yield from (kind for kind in kinds if kind is not bytes)
    if endpoint.content_type == JSON and endpoint.answer is not None:
        yield endpoint.answer


def _operation(endpoint: Endpoint, schemas: _Schemas) -> Document:
    summary = endpoint.description.partition("\n")[0]
    found: Document = {
        "tags": [endpoint.tag],
        "summary": summary,
        "description": endpoint.description,
        "operationId": endpoint.handler.__name__,
        "responses": {str(endpoint.status): _answer(endpoint, schemas), **_errors(endpoint, schemas)},
    }
    parameters = [] if endpoint.parameters is None else list(_parameters(endpoint.path, endpoint.parameters))
    if endpoint.combine is not None:
        parameters.append(_SCOPE)
    if parameters:
        found["parameters"] = parameters
    if endpoint.body:
        content = {kind: {"schema": _one_of(types, schemas)} for kind, types in endpoint.body.items()}
        found["requestBody"] = {"content": content, "required": True}
    if endpoint.is_open:
        found["security"] = []
    return found


def _parameters(path: str, parameters: Parameters) -> Iterator[Document]:
    for name, schema in parameters.schemas().items():
        rest = {key: value for key, value in schema.items() if key != "description"}
        yield {
            "name": name,
            "in": "path" if f"{{{name}}}" in path or f"{{{name}:path}}" in path else "query",
            "required": parameters.is_required(name),
            "description": schema.get("description", ""),
            "schema": rest,
        }


def _one_of(types: Sequence[Any], schemas: _Schemas) -> Document:
    found = [_BINARY if kind is bytes else schemas[kind] for kind in types]
    return found[0] if len(found) == 1 else {"oneOf": found}


def _answer(endpoint: Endpoint, schemas: _Schemas) -> Document:
    if endpoint.answer is None:
        return {"description": "Accepted"}
    schema = schemas[endpoint.answer] if endpoint.content_type == JSON else _TEXT
    return {"description": "Answered", "content": {endpoint.content_type: {"schema": schema}}}


def _errors(endpoint: Endpoint, schemas: _Schemas) -> Document:
    content = {JSON: {"schema": schemas[Error]}}
    return {
        str(status): {"description": about, "content": content} for status, about in _statuses(endpoint).items()
    }


def _statuses(endpoint: Endpoint) -> dict[int, str]:
    found: dict[int, str] = {}
    if endpoint.body or endpoint.parameters is not None or endpoint.combine is not None:
        found[400] = "The request cannot be read"
    if not endpoint.is_open:
        found[401] = "The bearer token is missing or wrong"
    if endpoint.body:
        found[413] = "The request is larger than a limit"
    return dict(sorted({**found, **endpoint.errors}.items()))
