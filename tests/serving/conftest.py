"""A model folder and runtimes over it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from netops.serving.engine.champion import FixedModel
from netops.serving.engine.pipeline import Pipeline
from netops.serving.engine.runtime import Runtime
from netops.serving.settings import ServingSettings
from tests.serving.models import make_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "v1")


@pytest.fixture
def start(model: Path, tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    """Start a pipeline; one started again on the same folder must let go of it first."""
    started: list[Runtime] = []

    def begin(settings: ServingSettings | None = None, folder: Path | None = None, **kwargs) -> Pipeline:
        for runtime in started:
            abandon(runtime)
        started.clear()
        source = kwargs.pop("source", FixedModel("v1", model))
        runtime = Runtime("demo", source, settings, folder=folder or tmp_path / "state", **kwargs)
        started.append(runtime)
        return Pipeline(runtime)

    yield begin
    for runtime in started:
        abandon(runtime)


@contextmanager
def mock_server(function: Any) -> Iterator[Any]:
    """A function's mock server; MLRun has no end for it, so what it holds open is let go of here."""
    from netops.serving.mlrun.graph import pipeline_of

    server = function.to_mock_server()
    yield server
    abandon(pipeline_of(server.context).runtime)


def abandon(runtime: Runtime) -> None:
    """Let go of the files without saving, as a killed process does."""
    runtime.deliveries.stop()
    runtime.store.close()
    runtime.letters.close()
    runtime._lease.release()


@pytest.fixture
def client_of(start):
    """Start the HTTP app over a pipeline, in process; gives its test client."""
    pytest.importorskip("mlrun")
    from litestar.testing import TestClient

    from netops.serving.http.app import make_app
    from netops.serving.requests.access import Access
    from netops.serving.requests.dispatch import Dispatcher
    from netops.serving.requests.service import Service

    def begin(token=None, settings=None, **kwargs):
        pipeline = start(settings, **kwargs)
        return TestClient(make_app(Dispatcher(Service(pipeline), Access(token))), raise_server_exceptions=False)

    return begin


@pytest.fixture
def server(start):
    """The HTTP server over a pipeline, in a thread of this process; gives its address."""
    pytest.importorskip("mlrun")
    import asyncio
    import socket

    from netops.serving.http.protocol import guarded_server
    from netops.serving.http.serve import configured
    from netops.serving.requests.service import Service

    listener = socket.create_server(("127.0.0.1", 0))
    pipeline = start()
    service = Service(pipeline)
    running = guarded_server(configured(service, None))
    thread = threading.Thread(target=lambda: asyncio.run(running.serve(sockets=[listener])))
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    running.should_exit = True
    thread.join()
    listener.close()
