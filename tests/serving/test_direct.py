"""The short way answers as the application does."""

import asyncio
import json

import httpx
import numpy as np
import pytest

from netops.serving.settings import LimitSettings, ServingSettings
from tests.serving.models import SPEC
from tests.serving.samples import body, fleet, sample

pytest.importorskip("mlrun")

VECTORS = json.dumps({"inputs": np.zeros((2, len(SPEC.names))).tolist()}).encode()
REQUESTS = [
    ("/telemetry", json.dumps(sample("a", 0)).encode(), {}),
    ("/telemetry", body(*fleet(3, 5, first=1)), {}),
    ("/telemetry", b"no json", {}),
    ("/telemetry", b"", {}),
    ("/telemetry", b"x", {"content-type": "application/vnd.apache.arrow.stream"}),
    ("/telemetry", b" " * 5000, {}),
    ("/telemetry", body(*fleet(3, 10)), {}),
    ("/telemetry", b"[]", {"authorization": "Bearer wrong"}),
    ("/telemetry/", b"[]", {}),
    ("/v2/models/netops/infer", VECTORS, {}),
    ("/v2/models/netops/infer", b'{"inputs": [[1]]}', {}),
    ("/v2/models/netops/infer", b"", {}),
]


def test_all_paths_give_equal_responses(start, tmp_path):
    from netops.serving.http.app import make_app
    from netops.serving.http.fast_path import FastPath
    from netops.serving.mlrun.function import make_serving_function, start_graph
    from netops.serving.mlrun.service import GraphService
    from netops.serving.requests.access import Access
    from netops.serving.requests.dispatch import Dispatcher
    from netops.serving.requests.service import Service

    answers = []
    for way in ("short", "long", "graph"):
        settings = ServingSettings(limits=LimitSettings(body_bytes=4096, batch=20))
        pipeline = start(settings, folder=tmp_path / way)
        service = Service(pipeline)
        if way == "graph":
            service = GraphService(start_graph(make_serving_function(), pipeline.runtime), pipeline)
        dispatcher = Dispatcher(service, Access("secret"))
        app = make_app(dispatcher)
        answers.append(asyncio.run(_ask(FastPath(app, dispatcher) if way == "short" else app)))
    assert answers[0] == answers[1] == answers[2]
    assert [status for status, _ in answers[0]] == [200, 200, 200, 200, 400, 413, 413, 401, 200, 200, 400, 400]


async def _ask(app):
    transport = httpx.ASGITransport(app=app)
    found = []
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        for path, content, headers in REQUESTS:
            answer = await client.post(path, content=content, headers={"authorization": "Bearer secret"} | headers)
            value = answer.json()
            for varying in ("id", "timestamp"):
                value.pop(varying, None) if isinstance(value, dict) and "outputs" in value else None
            found.append((answer.status_code, value))
    return found
