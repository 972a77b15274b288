"""One worker as Nuclio's Python wrapper runs it: the code that is deployed, under Nuclio's own SDK.

The wrapper imports the function's source under the name that its handler says, takes ``init_context`` from the
module that the handler is of, deserializes each event and encodes what the handler returns.
"""

import asyncio
import base64
import contextlib
import json
import logging
import signal
import sys
from types import ModuleType
from typing import Any

import nuclio_sdk
from nuclio_sdk.event import EventDeserializerKinds


class NuclioWorker:
    """Starts a function's worker and sends it messages."""

    def __init__(self, function: Any, monkeypatch: Any, **parameters: Any) -> None:
        spec = {"function_uri": "demo/serving", "version": "v2", "graph": function.spec.graph.to_dict()}
        spec["parameters"] = function.spec.parameters | parameters
        monkeypatch.setenv("SERVING_SPEC_ENV", json.dumps(spec))
        self.module = load(function)
        self.handler = self.module.handler
        # What is registered at the SDK for the first worker must not make a later one pass.
        self.loop = asyncio.new_event_loop()
        self.logger = nuclio_sdk.Logger(logging.ERROR)
        self.platform = nuclio_sdk.Platform("local")
        trigger = nuclio_sdk.TriggerInfo("", "netops")
        self.context = nuclio_sdk.Context(self.logger, self.platform, 0, trigger)
        self.loop.run_until_complete(self._initialize())

    async def _initialize(self) -> None:
        sys.modules[self.handler.__module__].init_context(self.context)

    @property
    def runtime(self) -> Any:
        return self.context.netops.runtime

    def send(
        self, body: bytes = b"", path: str = "/telemetry", method: str = "POST", **more: Any
    ) -> dict[str, Any]:
        """Send an HTTP request: the encoded response, as the processor takes it, its body as bytes."""
        headers = {"Authorization": "Bearer secret"} | more.pop("headers", {})
        return self._handle(body, path, method, ("http", "http"), headers, **more)

    def get(self, path: str, **query: str) -> Any:
        """Return the JSON at a path."""
        answer = self.send(path=path, method="GET", fields=query, content_type="")
        assert answer["status_code"] == 200, answer
        return json.loads(answer["body"])

    def stream(self, body: bytes, shard: int = 0, kind: str = "v3ioStream") -> dict[str, Any]:
        """Send a message of a stream."""
        return self._handle(body, "telemetry", "", (kind, "stream"), {}, content_type="", shard=shard)

    def _handle(self, *about: Any, **more: Any) -> dict[str, Any]:
        return encoded(self.loop.run_until_complete(self._run(event_of(*about, **more))))

    async def _run(self, event: Any) -> Any:
        output = self.handler(self.context, event)
        return await output if asyncio.iscoroutine(output) else output

    def wait(self, seconds: float) -> None:
        """Let pass some time without a message."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the worker's process, which is this one."""
        signal.raise_signal(number)
        self.wait(0.3)

    def terminate(self) -> int:
        """Call the worker's termination callback: the code it ends with."""
        try:
            self.loop.run_until_complete(self._terminate())
        except SystemExit as end:
            return int(end.code or 0)
        raise AssertionError("the process continues, and Nuclio waits for it until its time is up")

    async def _terminate(self) -> None:
        result = self.platform._on_signal("termination")
        if asyncio.iscoroutine(result):
            await result

    def abandon(self) -> None:
        """Let go of everything without saving, as a killed process does."""
        from tests.serving.conftest import abandon

        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            self.loop.run_until_complete(asyncio.sleep(0.01))
        if signal.getsignal(signal.SIGUSR2) is not signal.SIG_DFL:
            self.loop.remove_signal_handler(signal.SIGUSR2)
        with contextlib.suppress(OSError):
            abandon(self.runtime)
        self.loop.close()


def event_of(
    body: bytes,
    path: str,
    method: str,
    trigger: tuple[str, str],
    headers: dict[str, str],
    content_type: str = "application/json",
    fields: dict[str, str] | None = None,
    shard: int = 0,
) -> Any:
    """Return a message as the wrapper passes it to the handler."""
    message = {
        "body": body,
        "path": path,
        "method": method,
        "trigger": {"kind": trigger[0], "name": trigger[1]},
        "headers": headers,
        "content_type": content_type,
        "fields": fields or {},
        "shard_id": shard,
    }
    rest = ("id", "url", "num_shards", "type", "type_version", "version")
    message |= {"size": len(body), "timestamp": 0} | dict.fromkeys(rest)
    return nuclio_sdk.Event.deserialize(message, kind=EventDeserializerKinds.msgpack)


def encoded(output: Any) -> dict[str, Any]:
    """Encode what the handler returns as the wrapper does."""
    # A list is the answer to a batch: the processor takes its first element, and panics where there is none.
    assert not isinstance(output, list)
    answer = nuclio_sdk.Response.from_entrypoint_output(json.dumps, output)
    json.dumps(answer)
    return answer


def load(function: Any) -> ModuleType:
    """Import the source that is deployed, under the name that the handler gives it."""
    name, _, entry = str(function.spec.function_handler).partition(":")
    code = base64.b64decode(function.spec.build.functionSourceCode).decode()
    module = ModuleType(name)
    sys.modules[name] = module
    exec(compile(code, f"{name}.py", "exec"), module.__dict__)
    assert entry == "handler"
    return module
