"""A home folder and its run database for a module of tests; a stand-in for the service where none can be had."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.servers import LocalServer
from tests.small import SPARSE

ONE_FAMILY = (*SPARSE, "training.families.sklearn.enabled=false")
MODERN = {"version": "1.12.1", "namespace": "mlrun"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder of the module's own."""
    folder, before = tmp_path_factory.mktemp("home"), Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETOPS_HOME", str(folder))
        patch.delenv("MLRUN_DBPATH", raising=False)
        yield folder
    os.chdir(before)


@pytest.fixture
def database(home: Path) -> Any:
    """The embedded run database, with no schedule in it."""
    from netops.workflows.project import connect

    connect()
    import mlrun

    found = mlrun.get_run_db()
    for schedule in found.schedules("netops"):
        found.delete_schedule("netops", schedule.name)
    return found


Answers = dict[str, tuple[int, Any]]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answers], str]]:
    """Start an HTTP server that gives set answers; MLRUN_DBPATH names it."""
    servers: list[LocalServer] = []

    def start(answers: Answers) -> str:
        server = LocalServer(("127.0.0.1", 0), _handler(answers))
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("MLRUN_DBPATH", address)
        return address

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _handler(answers: Answers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].removeprefix("/api/v1/")
            status, body = answers.get(path, (404, {"detail": "not found"}))
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_GET

        def log_message(self, *_args: Any) -> None:
            pass

    return Handler
