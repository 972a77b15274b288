"""Hostile input beside normal load: no crash, answers in time, memory flat. `make soak` runs the long form."""

import asyncio
import contextlib
import json
import random
import socket
import threading
import time

import numpy as np
import psutil
import pytest

from netops.client.http import Connection
from tests.serving.live import LiveServer
from tests.serving.samples import sample

RATE, DEVICES = 50, 100


async def normal(url: str, seconds: float, first: int) -> tuple[np.ndarray, int]:
    """Send single samples at a fixed rate; give milliseconds from when each was due, and the next tick."""
    connections = [Connection(url) for _ in range(4)]
    free: asyncio.Queue = asyncio.Queue()
    for connection in connections:
        free.put_nowait(connection)
    latencies, begun = [], time.perf_counter()

    async def one(number: int) -> None:
        due = begun + number / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        connection = await free.get()
        tick, device = divmod(number, DEVICES)
        answer = json.loads(await connection.post("/telemetry", sample(f"good-{device}", first + tick)))
        assert answer["status"] == "scored", answer
        latencies.append(time.perf_counter() - due)
        free.put_nowait(connection)

    await asyncio.gather(*(one(number) for number in range(int(seconds * RATE))))
    for connection in connections:
        await connection.close()
    return np.array(latencies) * 1e3, first + int(seconds * RATE) // DEVICES + 1


def hostile(port: int, stop: threading.Event, seed: int, failed: list[bytes]) -> None:
    """Send hostile input of all kinds until stopped; record what made the server fail."""
    choose, number = random.Random(seed), 0
    whole = json.dumps([sample("x", n) for n in range(50)]).encode()
    slow: list[socket.socket] = []
    while not stop.is_set():
        number += 1
        bodies = [
            bytes(choose.randrange(256) for _ in range(choose.randrange(400))),
            bytearray(whole),
            b"[" * 20_000,
            json.dumps([sample(f"{seed}-{number}-{n}", choose.randrange(10**6)) for n in range(200)]).encode(),
            b'[{"timestamp":-5,"device":"n","latency":1},{"timestamp":NaN,"device":"n","latency":Infinity}]',
            json.dumps(sample("f", 10**7 + number)).encode(),
            b"x" * 200_000,
        ]
        for _ in range(3):
            bodies[1][choose.randrange(len(whole))] = choose.randrange(256)
        with contextlib.suppress(OSError):
            answer = attack(port, bytes(choose.choice(bodies)), choose)
            if answer.startswith(b"HTTP/1.1 5"):
                failed.append(answer)
        if number % 20 == 0:
            with contextlib.suppress(OSError):
                slow.append(socket.create_connection(("127.0.0.1", port), timeout=5))
                slow[-1].sendall(b"POST /telemetry HTTP/1.1\r\nContent-Length: 100\r\n\r\n[")
        time.sleep(0.02)
    for connection in slow:
        connection.close()


def attack(port: int, body: bytes, choose: random.Random) -> bytes:
    path = choose.choice(["/telemetry", "/telemetry", "/api/v1/write", "/v2/models/netops/infer", "/%00"])
    kind = choose.choice(["application/json", "application/x-ndjson", "application/vnd.apache.arrow.stream"])
    length = choose.choice([len(body)] * 3 + [10**12])
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(head.encode() + body)
        return connection.recv(65536)


def soak(model, state, seconds: float) -> None:
    settings = {"limits__devices": 2000, "limits__batch": 2000, "limits__receive_seconds": 2}
    with LiveServer(model, state, **settings, state__snapshot_interval="2s") as server:
        process = psutil.Process(server.process.pid)
        _, tick = asyncio.run(normal(server.url, 2, 0))
        before, tick = asyncio.run(normal(server.url, max(4, seconds / 10), tick))
        stop, failed = threading.Event(), []
        senders = [threading.Thread(target=hostile, args=(server.port, stop, seed, failed)) for seed in range(2)]
        for sender in senders:
            sender.start()
        try:
            # The devices' windows fill in the first part; from then on memory must stay where it is.
            _, tick = asyncio.run(normal(server.url, seconds / 2, tick))
            settled = process.memory_info().rss
            during, tick = asyncio.run(normal(server.url, seconds / 2, tick))
            grown = process.memory_info().rss - settled
        finally:
            stop.set()
            for sender in senders:
                sender.join()
        assert server.process.poll() is None
        assert failed == []
        assert server.stop() == 0
    p99 = [float(np.percentile(found, 99)) for found in (before, during)]
    print(f"p99 {p99[0]:.1f} ms before, {p99[1]:.1f} ms during; memory grew by {grown / 1e6:.0f} MB")
    assert p99[1] <= max(3 * p99[0], 30.0), p99
    assert grown < 60e6, grown


@pytest.mark.timing
def test_hostile_input_for_sixteen_seconds(model, tmp_path):
    soak(model, tmp_path, 16)


@pytest.mark.soak
@pytest.mark.timeout(1500)
def test_hostile_input_for_ten_minutes(model, tmp_path):
    soak(model, tmp_path, 600)
