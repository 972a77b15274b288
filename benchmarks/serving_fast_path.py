"""One sample through the HTTP application, in process: with the fast path, and by the web framework alone."""

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from .report import report
from .serving import body, make_model

REQUESTS, ROUNDS = 300, 12


def main() -> None:
    """Measure both in turns on the same service; rates in requests/s of processor time."""
    with TemporaryDirectory() as folder:
        rates = asyncio.run(_measured(Path(folder)))
    report("serving_fast_path", rates["fast path"], "Litestar", rates["framework"])


async def _measured(folder: Path) -> dict[str, float]:
    from netops.serving.engine.champion import FixedModel
    from netops.serving.engine.fleet_state import compile_kernels
    from netops.serving.engine.pipeline import Pipeline
    from netops.serving.engine.runtime import Runtime
    from netops.serving.http.app import make_app
    from netops.serving.http.fast_path import FastPath
    from netops.serving.requests.access import Access
    from netops.serving.requests.dispatch import Dispatcher
    from netops.serving.requests.service import Service

    runtime = Runtime("demo", FixedModel("bench", make_model(folder / "m")), folder=folder / "s")
    compile_kernels(runtime.model.spec, runtime.state.tracker.policy)
    dispatcher = Dispatcher(Service(Pipeline(runtime)), Access(None))
    app = make_app(dispatcher)
    applications = {"fast path": FastPath(app, dispatcher), "framework": app}  # type: ignore[arg-type]
    seconds = dict.fromkeys(applications, 0.0)
    random, tick = np.random.default_rng(0), 0
    for turn in range(ROUNDS + 1):
        for name, application in applications.items():
            bodies = [body(0, tick + number, random) for number in range(REQUESTS)]
            tick += REQUESTS
            took = await _send(application, bodies)
            seconds[name] += took if turn else 0.0  # the first turn warms up
    runtime.close()
    return {name: ROUNDS * REQUESTS / took for name, took in seconds.items()}


async def _send(application: object, bodies: list[bytes]) -> float:
    since = time.process_time()
    for content in bodies:
        await _request(application, content)
    return time.process_time() - since


async def _request(application: object, content: bytes) -> None:
    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
    headers.append((b"content-length", str(len(content)).encode()))
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/telemetry",
        "raw_path": b"/telemetry",
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
        "extensions": {},
    }
    answers = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: dict[str, object]) -> None:
        answers.append(message)

    await application(scope, receive, send)  # type: ignore[operator]
    assert answers[0]["status"] == 200, msgspec.json.encode(answers[1:], enc_hook=str)


if __name__ == "__main__":
    main()
