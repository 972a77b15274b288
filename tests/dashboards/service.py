"""``netops serve`` on a free port, and telemetry of a network in which a device fails, then a site."""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netops.config.durations import HOUR, SECOND
from netops.features.spec import FeatureSpec
from netops.monitoring.exported import MonitoringMetrics
from netops.serving.engine.champion import ChampionFile
from netops.simulator.generate import Arrays, generate_arrays
from netops.simulator.settings import GeneratorSettings
from tests.dashboards.processes import free_port, running
from tests.serving.log_models import TEXTS, log_columns
from tests.serving.models import METRICS, SPEC, make_model

START = 1_790_000_000 * SECOND
TICK = 5 * SECOND
# Event time runs so fast that an alert would expire before it has been scraped.
_SERVE = """
from netops.alerting.settings import AlertSettings
from netops.config.durations import HOUR
from netops.serving.http.serve import serve
from netops.serving.settings import ServingSettings
from pathlib import Path
from netops.serving.engine.champion import ChampionFile
serve("demo", ServingSettings(port={port}), AlertSettings(expire=HOUR), source=ChampionFile(Path("champion.json")))
"""


@dataclass(frozen=True)
class Service:
    """A server, and a way to send samples to it."""

    url: str
    token: str

    def send(self, samples: list[dict[str, Any]]) -> None:
        """Send a batch."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        answers = json.loads(_post(f"{self.url}/telemetry", json.dumps(samples).encode(), headers))
        assert {answer["status"] for answer in answers} == {"scored"}

    def log(self, device: str, time: int) -> None:
        """Send a log message of a device."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        message = {"time": time, "host": device, "level": "error", "message": TEXTS[0]}
        assert json.loads(_post(f"{self.url}/logs", json.dumps(message).encode(), headers))["counted"] == 1

    def refuse(self) -> None:
        """Send what is no telemetry."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/vnd.apache.arrow.stream"}
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(
                urllib.request.Request(f"{self.url}/telemetry", b"no Arrow", headers), timeout=60
            )


def _post(url: str, body: bytes, headers: dict[str, str]) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
        return bytes(answer.read())


@contextmanager
def serving(folder: Path, token: str) -> Iterator[Service]:
    """Run the server while the block lasts."""
    folder.mkdir()
    columns = log_columns(TEXTS[0])
    spec = FeatureSpec((*METRICS, *columns.names), SPEC.windows)
    model = make_model(folder / "model", spec=spec, logs=columns.to_dict())
    ChampionFile(folder / "champion.json").promote("v1", model)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {"NETOPS_HOME": str(folder), "NETOPS_TOKEN": token}
    with running([sys.executable, "-c", _SERVE.format(port=port)], folder, f"{url}/healthz", env):
        yield Service(url, token)


def monitoring() -> MonitoringMetrics:
    """Metrics of a run of the pipeline and of a monitor."""
    metrics = MonitoringMetrics("demo")
    metrics.drift("feature", "latency_mean_1h", 0.31, True)
    metrics.drift("feature", "throughput_mean_1h", 0.02, False)
    metrics.drift("risk", "risk", 0.05, False)
    metrics.missing({"latency": 0.01, "throughput": 0.0})
    stages = {"generate": 9.0, "features": 3.5, "train": 24.0, "select": 1.0, "deploy": 2.0}
    metrics.run_ended("retrain", False, START / SECOND, stages, dict.fromkeys(stages, 1_500_000))
    metrics.runs("retrain", {"completed": 3, "error": 1})
    metrics.model("xgboost", "v1", {"average_precision": 0.83, "event_recall": 0.93, "median_lead_seconds": None})
    return metrics


class Story:
    """A network of two companies with two data centers each: one of its devices fails, then a data center.

    Attributes
    ----------
    device, device_site : str
        The device whose cascade comes first, and its data center.
    site : str
        The data center that fails after it.
    quiet : str
        The device of a third data center that says nothing from then on.
    """

    def __init__(self, seed: int = 4) -> None:
        self._cascade = _simulate("cascade", seed, every="20h")
        self._outage = _simulate("site_outage", seed, every="6h")
        cascade, outage = (network.incidents.to_pylist() for network in (self._cascade, self._outage))
        self.device = max(cascade, key=lambda row: row["start"])["device"]
        self.device_site = self._site_of(self.device)
        self._failure = max(_tick_of(row["start"]) for row in cascade)
        starts = {site: [] for site in map(self._site_of, (row["device"] for row in outage))}
        for row in outage:
            starts[self._site_of(row["device"])].append(_tick_of(row["start"]))
        self.site = next(site for site in starts if self._company_of(site) != self._company_of(self.device_site))
        self._starts = starts[self.site]
        third = [name for name in self._cascade.names if self._site_of(name) not in (self.device_site, *starts)]
        self.quiet = third[0]

    def begin(self, service: Service) -> None:
        """Send a first minute, so that everything is compiled and known, and a request that is refused."""
        service.refuse()
        service.send(self._samples(self._cascade, self._failure - 84, self._failure - 72))

    def play(self, service: Service) -> None:
        """Send six minutes up to the failure of the device, then those up to the failure of the site."""
        first = self._failure - 72
        for tick in range(first, self._failure, 12):
            self._send(service, self._samples(self._cascade, tick, min(tick + 12, self._failure)))
        begin, end = min(self._starts) - 72, max(self._starts)
        for tick in range(begin, end, 12):
            self._send(service, self._samples(self._outage, tick, min(tick + 12, end), self._failure - begin))

    def _send(self, service: Service, samples: list[dict[str, Any]]) -> None:
        service.send(samples)
        service.log(self.device, samples[-1]["timestamp"] + SECOND)
        time.sleep(0.25)

    def _site_of(self, device: str) -> str:
        index = self._cascade.names.index(device)
        return self._cascade.attributes["data_center"][index]

    def _company_of(self, site: str) -> str:
        attributes = self._cascade.attributes
        return attributes["company"][attributes["data_center"].index(site)]

    def _samples(self, network: Arrays, first: int, last: int, shift: int = 0) -> list[dict[str, Any]]:
        """Give the samples of some ticks as devices send them; ``shift`` ticks later than they were.

        The models of these tests take every metric around 0: five deviations become 2, from where they alert.
        """
        means = np.array([_NORMAL[name][0] for name in network.metrics])
        spreads = np.array([2.5 * _NORMAL[name][1] for name in network.metrics])
        scaled = (network.values[:, first:last] - means) / spreads
        return [
            {
                "timestamp": int(network.timestamps[tick]) + shift * TICK,
                "device": name,
                "company": network.attributes["company"][device],
                "data_center": network.attributes["data_center"][device],
                **dict(zip(network.metrics, scaled[device, tick - first].tolist(), strict=True)),
            }
            for tick in range(first, last)
            for device, name in enumerate(network.names)
            if not (shift and name == self.quiet)
        ]


def _tick_of(moment: Any) -> int:
    return int((int(moment.value) - START) // TICK)


def _simulate(scenario: str, seed: int, every: str) -> Arrays:
    settings = GeneratorSettings.from_yaml(
        {
            "errors": {"every": every},
            "timestamps": {"interval": "5s"},
            "deployment": {
                "company": {"faker": "company", "num_items": 2},
                "data_center": {"faker": "city", "num_items": 2},
                "device": {"pattern": "{data_center}-{number:02d}", "num_items": 8},
            },
            "topology": {"uplinks": 2, "fan_out": 8, "hop_delay": "5s"},
            "metrics": {name: _metric(*moments) for name, moments in _NORMAL.items()},
            "scenarios": {scenario: _SCENARIOS[scenario]},
        }
    )
    return generate_arrays(settings, duration=2 * HOUR, start=START, seed=seed)


# Mean, standard deviation, whether low is bad.
_NORMAL = {
    "cpu_utilization": (45, 5, False),
    "latency": (20, 3.5, False),
    "packet_loss": (0.5, 1.2, False),
    "throughput": (150, 12, True),
}
_ORDER = ["latency", "packet_loss", "throughput", "cpu_utilization"]
_SCENARIOS = {
    "cascade": {"duration": "20m", "failure": 0.35, "depth": 0.3, "metrics": _ORDER},
    "site_outage": {"duration": "16m", "failure": 0.4, "depth": 0.35, "metrics": _ORDER},
}


def _metric(mean: float, deviation: float, low_is_bad: bool) -> dict[str, Any]:
    limits = {"min": 0, "max": 400 if low_is_bad else 100, "validate": True}
    return {
        "distribution": "normal",
        "distribution_params": {"mu": mean, "sigma": deviation},
        "is_threshold_below": not low_is_bad,
        "validation": {"metric": limits},
    }


assert tuple(_NORMAL) == METRICS
