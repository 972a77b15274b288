"""A Nuclio processor as a process of this machine, with a function made from what would be deployed."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import psutil
import yaml

TOKEN = "t" * 40


class Processor:
    """Writes processor.yaml from the function's source, triggers and parameters, and starts it."""

    def __init__(
        self,
        folder: Path,
        binary: str,
        wrapper: str,
        model: str,
        stream: str = "",
        token: str = TOKEN,
        state: Path | None = None,
        **parameters: Any,
    ) -> None:
        self.folder, self.binary, self.wrapper, self.token = folder, binary, wrapper, token
        self.state = state or folder / "state"
        self.function = _function(model, stream, {"state_path": str(self.state)} | parameters)
        self.start()

    def start(self) -> None:
        """Start it, and wait until the function answers."""
        port, source = _free_port(), self.folder / "source"
        source.mkdir(parents=True, exist_ok=True)
        module = self.function.spec.function_handler.partition(":")[0]
        code = base64.b64decode(self.function.spec.build.functionSourceCode)
        (source / f"{module}.py").write_bytes(code)
        (self.folder / "processor.yaml").write_text(yaml.safe_dump(_configuration(self.function, port)))
        (self.folder / "platform.yaml").write_text(yaml.safe_dump(_platform()))
        environment = {
            "NUCLIO_PYTHON_WRAPPER_PATH": self.wrapper,
            "NUCLIO_PYTHON_PATH": str(source),
            "NUCLIO_PYTHON_EXE_PATH": sys.executable,
            "SERVING_SPEC_ENV": self.function._get_serving_spec(),
            "NETOPS_TOKEN": self.token,
            "MLRUN_DBPATH": "",
        }
        options = ["-config", str(self.folder / "processor.yaml")]
        options += ["-platform-config", str(self.folder / "platform.yaml")]
        with (self.folder / "processor.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, *options],
                env=os.environ | environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        headers = {"Authorization": f"Bearer {TOKEN}"}
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=60)
        self._wait(600)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, (self.folder / "processor.log").read_text()[-3000:]
            try:
                if self.client.get("/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        raise AssertionError("the function does not answer")

    def get(self, path: str) -> Any:
        """Get a path: what the JSON says."""
        return self.client.get(path).raise_for_status().json()

    def stop(self) -> float:
        """Have it end: the seconds that takes."""
        self.client.close()
        since = time.monotonic()
        self.process.terminate()
        self.process.wait(120)
        return time.monotonic() - since

    def end(self, which: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the processor alone, or to its worker (``wrapper``), and wait until both have ended."""
        self.client.close()
        worker = psutil.Process(self.process.pid).children()[0]
        os.kill(worker.pid if which == "wrapper" else self.process.pid, number)
        worker.wait(30)
        if number is signal.SIGKILL:
            self.process.wait(30)

    def kill(self) -> None:
        """End it and its worker at once."""
        self.client.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _function(model: str, stream: str, parameters: dict[str, Any]) -> Any:
    from netops.serving.mlrun.deployment import Nuclio, NuclioOptions

    options = NuclioOptions("image", stream=stream, parameters=parameters)
    made = Nuclio(SimpleNamespace(name="netops"), "demo", options).function(model)
    made.spec.parameters["follow"] = False  # there is no service here
    return made


def _configuration(function: Any, port: int) -> dict[str, Any]:
    prefix = "spec.triggers."
    triggers = {key.removeprefix(prefix): value for key, value in function.spec.config.items() if prefix in key}
    triggers = json.loads(json.dumps(triggers))
    triggers["http"]["url"] = f"127.0.0.1:{port}"
    spec = {"runtime": "python:3.11", "handler": function.spec.function_handler, "triggers": triggers}
    labels = {"nuclio.io/project-name": "netops"}
    return {"metadata": {"name": function.metadata.name, "namespace": "nuclio", "labels": labels}, "spec": spec}


def _platform() -> dict[str, Any]:
    listening = [{"enabled": True, "listenAddress": f"127.0.0.1:{_free_port()}"} for _ in range(2)]
    sinks = [{"level": "info", "sink": "out"}]
    logger = {"sinks": {"out": {"kind": "stdout"}}, "system": sinks, "functions": sinks}
    return {"kind": "local", "webAdmin": listening[0], "healthCheck": listening[1], "logger": logger}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
