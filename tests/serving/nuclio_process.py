"""A worker of the Nuclio function as a process of its own, which can be stopped as Nuclio does, and killed.

The process does what Nuclio's Python wrapper does: it imports the deployed source, calls ``init_context`` in its
event loop, registers SIGUSR1 after it, answers one message at a time and awaits the termination callback. Requests
come over HTTP, as through Nuclio's trigger.
"""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ROOT = Path(__file__).parents[2]
TOKEN = "t" * 40


class NuclioProcess:
    """Starts a worker and waits until it answers."""

    def __init__(self, model: Path, folder: Path, topic: str, **serving: Any) -> None:
        parameters = {"state_path": str(folder), "serving": serving}
        command = [sys.executable, "-m", "tests.serving.nuclio_process", str(model), topic, json.dumps(parameters)]
        environment = os.environ | {"MLRUN_DBPATH": "", "NETOPS_TOKEN": TOKEN}
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("READY "):
                self.url = line.split()[1]
                return
        raise AssertionError(f"the worker ended with {self.process.wait()}")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Stop it as the processor does when it gets SIGTERM; Nuclio waits for 20 seconds."""
        self.process.send_signal(signal.SIGUSR1)
        return self.process.wait(20)

    def __enter__(self) -> "NuclioProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Wrapper:
    """The part of Nuclio's Python wrapper that runs the function."""

    def __init__(self, function: Any) -> None:
        import nuclio_sdk

        from tests.serving.nuclio_peer import load

        self.module = load(function)
        self.platform = nuclio_sdk.Platform("local")
        logger, trigger = nuclio_sdk.Logger(logging.ERROR), nuclio_sdk.TriggerInfo("", "netops")
        self.context = nuclio_sdk.Context(logger, self.platform, 0, trigger)
        self.one, self.ending = asyncio.Lock(), asyncio.Event()

    async def run(self) -> None:
        """Answer requests until SIGUSR1."""
        self.module.init_context(self.context)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self.ending.set)
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        print("READY", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await self.ending.wait()
        async with self.one:
            result = self.platform._on_signal("termination")
            if asyncio.iscoroutine(result):
                await result
        raise AssertionError("the process continues, and Nuclio waits for it until its time is up")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, *_ = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ")
        parts = urlsplit(target)
        async with self.one:
            answer = await self._answer(method, parts.path, dict(parse_qsl(parts.query)))
        body = str(answer["body"]).encode()
        lines = [f"HTTP/1.1 {answer['status_code']} -", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in answer["headers"].items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        writer.close()

    async def _answer(self, method: str, path: str, query: dict[str, str]) -> dict[str, Any]:
        from tests.serving.nuclio_peer import encoded, event_of

        headers = {"Authorization": f"Bearer {TOKEN}"}
        event = event_of(b"", path, method, ("http", "http"), headers, content_type="", fields=query)
        output = self.module.handler(self.context, event)
        return encoded(await output if asyncio.iscoroutine(output) else output)


def main() -> None:
    """Run a worker: model, stream and parameters as JSON."""
    from types import SimpleNamespace

    from netops.serving.mlrun.deployment import Nuclio, NuclioOptions

    model, stream, parameters = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    options = NuclioOptions("image", stream=stream, parameters=parameters)
    function = Nuclio(SimpleNamespace(name="netops"), "demo", options).function(model)
    function.spec.parameters["follow"] = False  # there is no service here
    os.environ["SERVING_SPEC_ENV"] = function._get_serving_spec()
    asyncio.run(Wrapper(function).run())


if __name__ == "__main__":
    main()
