"""Kills under load, and the twin that was never killed."""

import asyncio
import json
import random
import threading
from pathlib import Path

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from netops.alerting.settings import AlertSettings
from netops.config.binding import bind
from netops.serving.alerts import deliveries
from netops.serving.alerts.store import AlertStore
from netops.serving.engine import runtime
from netops.serving.engine.background import refresh
from netops.serving.engine.champion import ChampionFile
from netops.serving.engine.samples import Answer as SampleAnswer
from netops.serving.settings import ServingSettings
from tests.serving.crash_twin import ALERTING, Answers, Outcome, Ward, outcome, promote, requests, ward
from tests.serving.hooks import until
from tests.serving.live import LiveServer
from tests.serving.models import make_model
from tests.serving.samples import body


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(deliveries, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(deliveries, "MAX_PAUSE", 0.05)
    # On a busy machine a lock may take long: delayed writes are sent in fewer events.
    monkeypatch.setattr(runtime, "LOCK_TIMEOUT", 10.0)


@pytest.fixture(scope="module")
def challenger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "v2", "v2", seed=7)


class Run:
    """One run of the scenario in this process; a kill lets go of everything without saving."""

    def __init__(self, start, folder: Path, receivers: Ward, models: dict[str, Path]) -> None:
        self._start, self._folder, self._receivers, self._models = start, folder, receivers, models
        self._file, self._answers, self._saved_at = folder / "champion.json", Answers(), 0
        self._promote("v1")
        self.kills = 0
        self._begin()

    def _begin(self) -> None:
        settings = ServingSettings(receivers=self._receivers.settings)
        alerting, source = bind(AlertSettings, ALERTING, "alerting"), ChampionFile(self._file)
        self.pipeline = self._start(settings, self._folder / "state", alerting=alerting, source=source)
        self.pipeline.runtime.deliveries.start()

    def _promote(self, version: str) -> None:
        promote(self._file, version, self._models[version])

    def play(self, sent: list[list[dict]], promotions: dict[int, str], saves: set[int], kills: set[int]) -> Outcome:
        position = 0
        kills = set(kills)
        while position < len(sent):
            if position in promotions and self._saved_at != position:
                self._promote(promotions[position])
                asyncio.run(refresh(self.pipeline.runtime))
                self._save(position)
            elif position in saves and self._saved_at < position:
                self._save(position)
            if position in kills:
                kills.remove(position)
                self._kill()
                position = self._saved_at
                continue
            self._answers.add(self.pipeline.run(body(*sent[position])))
            position += 1
        until(lambda: self.pipeline.runtime.store.undelivered() == 0, 60)
        return outcome(self.pipeline.runtime.store, self._receivers, self._answers)

    def _save(self, position: int) -> None:
        self.pipeline.runtime.save()
        self._saved_at = position

    def _kill(self) -> None:
        """In the midst of a snapshot, too."""
        self.kills += 1
        if self.kills % 2:
            writer = self.pipeline.runtime.snapshot()
            writer.__enter__()
            writer.write(next(writer.parts()))
            writer._file.close()  # as the kernel does; the draft stays
        self._begin()


def _differing(found: dict, expected: dict) -> dict:
    """What pytest would show too little of."""
    return {
        name: (found.get(name), expected.get(name))
        for name in {*found, *expected}
        if found.get(name) != expected.get(name)
    }


def compare(found: Outcome, expected: Outcome) -> None:
    assert found.answers == expected.answers
    if differing := _differing(found.alerts, expected.alerts):
        pytest.fail(f"alerts differ (found, expected): {differing}")
    assert found.parked == expected.parked
    assert found.took == expected.took


@pytest.mark.parametrize(("seed", "every"), [(1, 37), (5, 37), (3, 120)])
def test_ten_kills_change_nothing(start, model, challenger, tmp_path, quick, seed, every):
    sent, models = requests(400, seed), {"v1": model, "v2": challenger}
    promotions, saves = {130: "v2", 260: "v1"}, set(range(25, 400, every))
    choose = random.Random(seed)
    kills = set(choose.sample(range(10, 390), 10))
    outcomes = []
    for name, killed in (("never", set()), ("killed", kills)):
        (tmp_path / name).mkdir()
        with ward() as receivers:
            run = Run(start, tmp_path / name, receivers, models)
            outcomes.append(run.play(sent, promotions, saves, killed))
            assert run.kills == len(killed)
    never, killed = outcomes
    compare(killed, never)
    # The scenario is worth its name.
    kinds = [alert[0] for alert in never.alerts.values()]
    assert kinds.count("risk") > 20
    assert {"risk", "silent", "site"} <= set(kinds)
    assert any(alert[3] for alert in never.alerts.values())
    assert {model for _, _, model in never.answers.values()} == {"v1", "v2"}
    assert set(never.parked) == {"refuses", "redirects", "alertmanager"}
    assert all(never.took.values())


class LiveRun:
    """The scenario against a server in a process of its own, which is killed while requests are under way."""

    #: Requests between two looks at how many snapshots there are.
    LOOK = 10

    def __init__(self, folder: Path, receivers: Ward, models: dict[str, Path]) -> None:
        self._models, self._file = models, folder / "champion.json"
        promote(self._file, "v1", models["v1"])
        listed = [{"kind": one.kind, "url": one.url} for one in receivers.settings]
        rules = {f"alerting__{key}": json.dumps(value).strip('"') for key, value in ALERTING.items()}
        settings = {"receivers": json.dumps(listed), "pauses": 0.25, **rules}
        times = {"state__snapshot_interval": "500ms", "state__champion_interval": "200ms"}
        self.server = LiveServer(self._file, folder / "state", **settings, **times)
        self.answers, self.kills, self._client = Answers(), 0, httpx.Client(timeout=30)
        self._snapshots, self._safe, self._seen = 0, 0, 0

    def play(self, sent: list[list[dict]], promotions: dict[int, str], kills: list[int], seed: int) -> None:
        choose, position, kills = random.Random(seed), 0, sorted(kills)
        while position < len(sent):
            if position in promotions and self._safe != position:
                self._promote(promotions[position], position)
            if kills and position >= kills[0]:
                kills.pop(0)
                self.kills += 1
                threading.Timer(choose.uniform(0, 0.05), self.server.process.kill).start()
            try:
                if position % self.LOOK == 0:
                    self._look(position)
                answer = self._ask("POST", "/telemetry", body(*sent[position]))
                self.answers.add(msgspec.json.decode(answer, type=list[SampleAnswer]))
                position += 1
            except httpx.HTTPError:
                self.server.process.wait()
                self.server.start()
                self._snapshots, position = 0, self._safe
        until(lambda: self._metric("netops_deliveries_due") == 0, 120)
        assert self._metric("netops_alerts_unsaved") == 0
        self._client.close()
        assert self.server.stop() == 0

    def _ask(self, method: str, path: str, content: bytes = b"") -> bytes:
        return self._client.request(method, self.server.url + path, content=content).raise_for_status().content

    def _metric(self, name: str, **labels: str) -> float:
        for family in text_string_to_metric_families(self._ask("GET", "/metrics").decode()):
            for one in family.samples:
                if one.name == name and labels.items() <= one.labels.items():
                    return one.value
        return 0.0

    def _look(self, position: int) -> None:
        """A snapshot holds what was answered before the one before it was seen to be finished."""
        count = self._metric("netops_snapshots_total", result="written")
        if count > self._snapshots:
            self._snapshots, self._safe, self._seen = count, max(self._safe, self._seen - self.LOOK), position

    def _promote(self, version: str, position: int) -> None:
        promote(self._file, version, self._models[version])
        until(lambda: msgspec.json.decode(self._ask("GET", "/healthz"))["model"] == version, 60)
        count = self._metric("netops_snapshots_total", result="written")
        until(lambda: self._metric("netops_snapshots_total", result="written") >= count + 2, 60)
        self._safe = self._seen = position
        self._snapshots = count + 2


@pytest.mark.soak
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", [2, 3])
def test_ten_kills_of_a_server_under_load_change_nothing(model, challenger, tmp_path, quick, seed):
    sent, models = requests(900, seed), {"v1": model, "v2": challenger}
    promotions = {300: "v2", 600: "v1"}
    kills = random.Random(seed).sample([at for at in range(20, 880) if at % 300 > 10], 10)
    outcomes = []
    for name, moments in (("never", []), ("killed", kills)):
        (tmp_path / name).mkdir()
        with ward() as receivers:
            run = LiveRun(tmp_path / name, receivers, models)
            with run.server:
                run.play(sent, promotions, moments, seed)
            assert run.kills == len(moments)
            store = AlertStore(tmp_path / name / "state" / "alerts.sqlite")
            outcomes.append(outcome(store, receivers, run.answers))
            print(f"{len(outcomes[-1].alerts)} alerts, {receivers.twice()} events taken twice, {run.kills} kills")
    never, killed = outcomes
    compare(killed, never)
