"""The partitions of a process without a broker: its messages are a list."""

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from netops.serving.engine.champion import FixedModel, ModelSource
from netops.serving.engine.partitions import Partitions
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.shared_state import FolderState, SharedState
from netops.serving.settings import ServingSettings
from netops.serving.stream.intake import Intake
from netops.serving.stream.messages import Message, parse_messages
from netops.serving.stream.output import Output
from netops.serving.stream.owner import Owner
from netops.telemetry.kafka.address import StreamAddress


def log_of(samples: Sequence[dict]) -> list[bytes]:
    """A partition with one message for each sample."""
    return [json.dumps(one).encode() for one in samples]


class Process:
    """A process with an event loop of its own; used as a context, it is killed at the end."""

    def __init__(
        self,
        model: Path,
        state: Path,
        name: str = "0",
        settings: ServingSettings | None = None,
        source: ModelSource | None = None,
        address: StreamAddress | None = None,
        output: Output | None = None,
        states: SharedState | None = None,
    ) -> None:
        self.root = Runtime("demo", source or FixedModel("v1", model), settings, folder=state / "processes" / name)
        has_peers = settings is not None and bool(settings.stream.peers)
        self.root.partitions = Partitions("t", has_peers=has_peers)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        states = states or FolderState(state / "partitions")
        self.owner = Owner(self.root, address or StreamAddress("b", "t"), states, self.loop, output)
        self._is_running = True

    def open(
        self,
        log: Sequence[bytes | Message],
        low: int = 0,
        number: int = 0,
        patience: float = 60.0,
        clock: Callable[[], float] | None = None,
        attempts: int = 1,
    ) -> Intake:
        claim = self.owner.claim(number, patience)
        if clock is not None:
            claim._clock = clock
        lease = next(found for _ in range(attempts) if (found := claim.attempt()) is not None)
        return self.owner.open(number, lease, low, len(log))

    def feed(self, intake: Intake, log: Sequence[bytes | Message], count: int = 1 << 30) -> int:
        """Process the next messages; return the offset after them."""
        stop = min(intake.next + count, len(log))
        messages = [
            one if isinstance(one := log[offset], Message) else Message(offset, one)
            for offset in range(intake.next, stop)
        ]
        intake.next = stop
        self.owner.call(intake.process(messages, list(parse_messages(intake.pipeline, messages))))
        return stop

    def save(self) -> None:
        self.owner.call(self.owner.save())

    def stop(self) -> None:
        """Release all partitions and end."""
        for number in list(self.owner.intakes):
            self.owner.release(number)
        self.kill()

    def kill(self) -> None:
        """Let go of all files without saving, as a killed process does."""
        if not self._is_running:
            return
        self._is_running = False
        for intake in self.owner.intakes.values():
            intake.runtime.discard()
        self.root.discard()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
