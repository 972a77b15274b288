"""One declaration per endpoint: the recipe of CONTRIBUTING.md on every server, and routing."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import msgspec
import pytest

from netops.serving.engine.samples import BodyError
from netops.serving.http.app import path_of
from netops.serving.http.openapi import describe
from netops.serving.requests import registry as endpoints
from netops.serving.requests.access import Access
from netops.serving.requests.dispatch import Dispatcher
from netops.serving.requests.endpoint import Request, StateEndpoint
from netops.serving.requests.endpoints.model import OPERATION
from netops.serving.requests.parameters import Parameters
from netops.serving.requests.registry import ENDPOINTS, Endpoints
from tests.docs.pages import code, pages
from tests.serving.conftest import mock_server
from tests.serving.samples import sample

pytest.importorskip("mlrun")

PAGE = pages()["CONTRIBUTING.md"]
ENDPOINT = next(block for block in code(PAGE, "python") if "RISKS =" in block)
(ENDPOINT_LINE,) = code(PAGE, "text")

SAMPLES = [sample("a", 0), sample("b", 0, hot=True), sample("c", 0)]
MISTAKE = {"error": "limit: expected a number from 1 to 100, found '0'"}


@pytest.fixture
def risks(modules: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Follow the recipe of an endpoint; return its declaration."""
    found = modules("first_endpoint", ENDPOINT).RISKS
    text = Path(endpoints.__file__).read_text(encoding="utf-8")
    line = ENDPOINT_LINE.replace("netops.serving.requests.endpoints.risks", "first_endpoint")
    changed = modules("first_endpoints", text.replace("for address in (\n", f"for address in (\n{line}"))
    assert [*changed.ENDPOINTS] == [found, *endpoints.ENDPOINTS]
    monkeypatch.setattr(endpoints, "ENDPOINTS", changed.ENDPOINTS)
    return found


def test_an_endpoint_is_answered_over_http(risks: Any, request: pytest.FixtureRequest) -> None:
    with httpx.Client(base_url=request.getfixturevalue("server"), timeout=60) as client:
        client.post("/telemetry", json=SAMPLES)
        answer = client.get("/risks", params={"limit": 2}).json()
        assert (answer[0]["device"], len(answer), len(client.get("/risks").json())) == ("b", 2, 3)
        mistake = client.get("/risks", params={"limit": 0})
        assert (mistake.status_code, mistake.json()) == (400, MISTAKE)
        assert client.post("/risks").status_code == 405
        described = client.get("/schema/openapi.json").json()
    (parameter,) = described["paths"]["/risks"]["get"]["parameters"]
    assert parameter["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}
    assert described["components"]["schemas"]["DeviceRisk"]["required"] == ["device", "risk"]


def test_an_endpoint_is_answered_by_the_mock_server(risks: Any, model: Path, tmp_path: Path) -> None:
    from netops.serving.mlrun.function import make_serving_function

    function = make_serving_function(model_path=model, parameters={"state_path": str(tmp_path)})
    with mock_server(function) as mock:
        mock.test("/telemetry", body=SAMPLES)
        answer = mock.test("/risks?limit=2", method="GET")
        assert (answer[0]["device"], len(answer), len(mock.test("/risks", method="GET"))) == ("b", 2, 3)
        mistake = mock.test("/risks?limit=0", method="GET", silent=True)
    assert (mistake.status_code, mistake.body) == (400, MISTAKE)


def test_an_endpoint_is_answered_on_nuclio(
    risks: Any,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from netops.serving.mlrun.function import make_serving_function
    from tests.serving.nuclio_peer import NuclioWorker

    monkeypatch.setenv("NETOPS_TOKEN", "secret")
    function = make_serving_function("demo", "demo-serving", model)
    nuclio = NuclioWorker(function, monkeypatch, state_path=str(tmp_path))
    nuclio.send(json.dumps(SAMPLES).encode())
    answer = nuclio.get("/risks", limit="2")
    assert (answer[0]["device"], len(answer), len(nuclio.get("/risks"))) == ("b", 2, 3)
    mistake = nuclio.send(path="/risks", method="GET", fields={"limit": "0"})
    assert (mistake["status_code"], json.loads(mistake["body"])) == (400, MISTAKE)
    assert nuclio.send(path="/risks", method="GET", headers={"Authorization": ""})["status_code"] == 401
    nuclio.abandon()


class Everything(msgspec.Struct):
    """A parameter of each kind."""

    name: str
    count: int = 1
    fraction: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    floor: Annotated[int, msgspec.Meta(ge=-3)] = 0
    kind: Literal["a", "b"] = "a"
    every: bool = msgspec.field(name="all", default=False)


def test_parameters_are_converted_and_have_defaults() -> None:
    read = Parameters(Everything, "/x").read
    assert read({"name": "n"}) == Everything("n")
    given = {"name": "n", "count": "7", "fraction": "0.25", "floor": "-3", "kind": "b", "all": "1", "other": "x"}
    assert read(given) == Everything("n", 7, 0.25, -3, "b", True)
    # Nuclio has numbers too.
    assert read({"name": 5, "count": 3, "fraction": 1.0, "all": True}) == Everything("5", 3, 1.0, every=True)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "name: missing; use /x?name=<name>"),
        ({"name": ""}, "name: missing; use /x?name=<name>"),
        ({"name": "n", "count": "x"}, "count: expected a number, found 'x'"),
        ({"name": "n", "fraction": "1.5"}, "fraction: expected a number from 0 to 1, found '1.5'"),
        ({"name": "n", "floor": "-4"}, "floor: expected a number from -3, found '-4'"),
        ({"name": "n", "kind": "c"}, "kind: expected a or b, found 'c'"),
        ({"name": "n", "all": "yes"}, "all: expected true or false, found 'yes'"),
    ],
)
def test_an_invalid_parameter_is_reported(query: dict[str, object], message: str) -> None:
    with pytest.raises(BodyError) as caught:
        Parameters(Everything, "/x").read(query)
    assert (str(caught.value), caught.value.status) == (message, 400)


@pytest.mark.parametrize(
    ("method", "path", "found", "values"),
    [
        ("GET", "/alerts", "/alerts", {}),
        ("HEAD", "/alerts", "/alerts", {}),
        ("POST", "/alerts/7/feedback", "/alerts/{name}/feedback", {"name": "7"}),
        ("POST", "/v2/models/netops/infer", "/v2/models/netops/infer", {}),
        ("POST", "/v2/models/netops/versions/1/infer", OPERATION.path, {"operation": "versions/1/infer"}),
    ],
)
def test_requests_are_routed_by_method_and_path(method: str, path: str, found: str, values: object) -> None:
    endpoint, given = ENDPOINTS.find(method, path)
    assert (endpoint.path, given) == (found, values)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/alerts", 405),
        ("GET", "/alerts/7/feedback", 405),
        ("POST", "/alerts//feedback", 404),
        ("POST", "/alerts/7/8/feedback", 404),
        ("GET", "", 404),
    ],
)
def test_other_requests_are_refused(method: str, path: str, status: int) -> None:
    with pytest.raises(BodyError) as caught:
        ENDPOINTS.find(method, path)
    assert caught.value.status == status


def test_only_the_health_is_open() -> None:
    assert {each.path for each in ENDPOINTS if ENDPOINTS.is_open(each.path)} == {"/healthz", "/readyz"}
    assert not ENDPOINTS.is_open("/nothing")


def test_a_server_without_a_token_is_open_or_closed() -> None:
    assert Access(None).allows("")
    assert not Access(None, "set a token").allows("Bearer x")
    assert Access(None, "set a token").message == "set a token"
    assert Access("x", "set a token").allows("Bearer x")
    assert not Access("x").allows("Bearer y")


def test_each_endpoint_is_described() -> None:
    for endpoint in ENDPOINTS:
        assert endpoint.description, endpoint.path
        assert "Raises" not in endpoint.description
    names = [endpoint.handler.__name__ for endpoint in ENDPOINTS if endpoint.is_http]
    assert len(set(names)) == len(names)


def test_a_body_is_decoded_by_its_type() -> None:
    class Body(msgspec.Struct):
        count: int

    def double(runtime: object, body: Body) -> int:
        return 2 * body.count

    declared = StateEndpoint("POST", "/double", double)
    for body in (b'{"count": 2}', '{"count": 2}', {"count": 2}):
        assert declared.reply(None, Request("POST", "/double", body)).body == 4
    with pytest.raises(BodyError):
        declared.reply(None, Request("POST", "/double", b"{}"))
    assert Endpoints([declared]).find("POST", "/double") == (declared, {})


@pytest.mark.parametrize("authorization", ["", "Bearer other", b"Bearer \xff"])
def test_a_body_is_read_only_from_those_who_may_send_it(start: Any, authorization: str | bytes) -> None:
    from netops.serving.requests.service import Service

    pipeline = start()
    dispatcher, read = Dispatcher(Service(pipeline), Access("secret")), []

    async def receive() -> bytes:
        read.append(1)
        return b"[]"

    def asked(sent: str | bytes, length: int = 2) -> int:
        request = Request("POST", "/telemetry", authorization=sent, length=length)
        return asyncio.run(dispatcher.answer(request, receive)).status

    assert (asked(authorization), asked("Bearer secret", dispatcher.limit + 1), read) == (401, 413, [])
    assert (asked("Bearer secret"), read) == (200, [1])


def test_a_parameter_of_a_path_with_slashes() -> None:
    class Named(msgspec.Struct):
        name: str

    def named(_: object, query: Named) -> str:
        """Return the name."""
        return query.name

    endpoint = StateEndpoint("GET", "/named/{name:path}", named)
    assert Endpoints([endpoint]).find("GET", "/named/a/b") == (endpoint, {"name": "a/b"})
    (path, operations), *rest = describe([endpoint], with_token=False)["paths"].items()
    assert (path, rest, operations["get"]["parameters"][0]["in"]) == ("/named/{name}", [], "path")
    assert path_of(endpoint) == "/named/{name:path}"
    assert path_of(replace(endpoint, path="/alerts/{name}/feedback")) == "/alerts/{name:str}/feedback"
