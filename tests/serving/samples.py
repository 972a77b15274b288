"""Samples as senders write them."""

import json

import numpy as np

START = 1_700_000_000
INTERVAL = 5


def sample(device: str, tick: int, hot: bool = False, **more) -> dict:
    """One sample at START + tick · INTERVAL seconds; a hot one alerts."""
    value = 5.0 if hot else 0.1
    metrics = {"cpu_utilization": value, "latency": 0.1, "packet_loss": 0.0, "throughput": -0.1}
    return {"timestamp": START + tick * INTERVAL, "device": device, **metrics, **more}


def body(*samples: dict) -> bytes:
    return json.dumps(list(samples)).encode()


def fleet(devices: int, ticks: int, seed: int = 0, first: int = 0, **more) -> list[dict]:
    """Random samples of several devices in the order of their times; some devices turn hot now and then."""
    random = np.random.default_rng(seed)
    return [
        sample(
            f"d{device}",
            tick,
            hot=(tick // 20) % 7 == device % 7,
            latency=float(random.normal()),
            throughput=float(random.normal()),
            **more,
        )
        for tick in range(first, first + ticks)
        for device in range(devices)
    ]
