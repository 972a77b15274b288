"""``kill -9`` of a server that counts log messages, which come by HTTP, and the twin that was never killed."""

import datetime
import random
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving.live import LiveServer
from tests.serving.log_models import TEXTS, log_columns, make_log_model
from tests.serving.samples import INTERVAL, START, sample

pytestmark = pytest.mark.slow
DEVICES, TICKS, KILLS = 12, 80, 3
#: Path, event time in seconds, and body of a request.
Sent = tuple[str, float, Any]


def requests(seed: int) -> list[Sent]:
    """Messages and events of an interval, then the samples at its end."""
    draw = random.Random(seed)
    found: list[Sent] = []
    for tick in range(TICKS):
        end = START + tick * INTERVAL
        messages = [_message(draw, end) for _ in range(draw.randrange(3 * DEVICES))] if tick else []
        # The replay point is a time: a request is sent again if any of it is later.
        for first in range(0, len(messages), 10):
            part = messages[first : first + 10]
            found.append(("/logs", max(message["time"] for message in part), part))
        if tick and draw.random() < 0.3:
            event = {"device": f"d{draw.randrange(DEVICES)}", "timestamp": end - 2.5, "kind": "reboot"}
            found.append(("/events", event["timestamp"], event))
        found.append(("/telemetry", end, [sample(f"d{device}", tick, tick % 40 > 30) for device in range(DEVICES)]))
    return found


def _message(draw: random.Random, end: int) -> dict[str, Any]:
    return {
        "time": round(end - INTERVAL * draw.random(), draw.choice([0, 3])),
        "host": f"d{draw.randrange(DEVICES)}",
        "level": draw.choice(["error", "info"]),
        "message": draw.choice(TEXTS),
    }


class Client:
    """Sends requests in order; after a kill, those later than the replay point again."""

    def __init__(self, server: LiveServer) -> None:
        self.server, self.answers = server, {}
        self._http = httpx.Client(timeout=60)
        self._sent: list[Sent] = []

    def send(self, request: Sent) -> None:
        self._sent.append(request)
        self._post(request)

    def _post(self, request: Sent) -> None:
        path, _, content = request
        answer = self._http.post(self.server.url + path, json=content).json()
        if path == "/telemetry":
            for one in answer:
                if one["status"] == "scored":
                    found = one["risk"], one["alert"]
                    assert self.answers.setdefault((one["device"], one["timestamp"]), found) == found
        else:
            assert answer["unreadable"] == answer["unknown_device"] == 0

    def kill(self) -> None:
        self.server.kill()
        self._http.close()
        self.server.start()
        self._http = httpx.Client(timeout=60)
        point = self._http.get(f"{self.server.url}/healthz").json()["replay_point"]
        time = datetime.datetime.fromisoformat(point).timestamp() if point else 0.0
        again, self._sent = self._sent, []
        for request in again:
            self._sent.append(request)
            if request[1] > time:
                self._post(request)

    def close(self) -> None:
        self._http.close()

    def counts(self) -> dict[str, Any]:
        """Return what all samples in the windows have counted."""
        return {
            f"d{device}": self._http.get(f"{self.server.url}/history", params={"device": f"d{device}"}).json()[
                "values"
            ]
            for device in range(DEVICES)
        }


def test_messages_are_counted_once_whatever_is_killed(tmp_path: Path) -> None:
    model = make_log_model(tmp_path / "model", log_columns(TEXTS[0], TEXTS[3]))
    sent, draw = requests(1), random.Random(1)
    kills = set(draw.sample(range(20, len(sent)), KILLS))
    outcomes = []
    for name in ("never", "killed"):
        with LiveServer(model, tmp_path / name, state__snapshot_interval="200ms") as server:
            client = Client(server)
            for number, request in enumerate(sent):
                client.send(request)
                if name == "killed" and number in kills:
                    client.kill()
            outcomes.append((client.answers, client.counts()))
            client.close()
    assert outcomes[0] == outcomes[1]
    messages = [values["log_message_count"] for values in outcomes[0][1].values()]
    assert sum(filter(None, (value for column in messages for value in column))) > DEVICES
