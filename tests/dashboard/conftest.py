"""A real server, a real dashboard beside it, and a real browser that looks at it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.serving.live import ROOT, LiveServer
from tests.serving.models import make_model

#: No window, no download, nothing that asks the network by itself.
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Dashboard:
    """``netops dashboard`` in a process of its own, beside a server, or else as the demo."""

    def __init__(self, server: str, home: Path, **environment: str) -> None:
        env = {key: value for key, value in os.environ.items() if key not in ("NETOPS_TOKEN", "MLRUN_DBPATH")}
        command = [sys.executable, "-m", "netops.cli.main", "dashboard", "--json"]
        command += ["--port", "0", *(["--server", server] if server else ["--demo"])]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=env | {"NETOPS_HOME": str(home)} | environment
        )
        reported = json.loads(self.process.stdout.readline())
        self.url, self.server = reported["url"], reported["server"]

    def stop(self) -> int:
        self.process.terminate()
        self.process.stdout.close()
        return self.process.wait(60)  # MLRun, whose import is under way, is waited for


@pytest.fixture(scope="module")
def writing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, subprocess.Popen]]:
    """Have the records written while the server starts."""
    folder = tmp_path_factory.mktemp("home")
    env = os.environ | {"NETOPS_HOME": str(folder), "MLRUN_DBPATH": ""}
    command = [sys.executable, "-m", "tests.dashboard.written"]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield folder, process
    process.stdin.close()
    process.stdout.close()
    process.wait(20)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, writing: object) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("server")
    with LiveServer(make_model(folder / "model"), folder / "state") as live:
        yield live


@pytest.fixture(scope="module")
def home(writing: tuple[Path, subprocess.Popen], server: LiveServer) -> Path:
    folder, process = writing
    assert "written\n" in iter(process.stdout.readline, "")
    return folder


@pytest.fixture(scope="module")
def dashboard(server: LiveServer, home: Path) -> Iterator[Dashboard]:
    started = Dashboard(server.url, home)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def browser(require_program: Callable[..., str]) -> Iterator[object]:
    program = require_program("chromium", "chromium-browser", "google-chrome")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def look(browser: object, request: pytest.FixtureRequest) -> Iterator[Callable[..., object]]:
    """Open a page; whatever its console complains of fails the test."""
    contexts, complaints = [], []

    def begin(path: str, theme: str = "light", url: str = "", width: int = 1440) -> object:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda line: line.type in ("error", "warning") and complaints.append(line.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((url or request.getfixturevalue("dashboard").url) + path)
        return page

    yield begin
    for context in contexts:
        context.close()
    assert complaints == []
