"""Kills under load, and the twin that was never killed."""

import random
from pathlib import Path

import pytest

from netops.alerting.settings import AlertSettings
from netops.configuration import bind
from netops.serving import deliveries
from netops.serving.champion import ChampionFile
from netops.serving.settings import ServingSettings
from tests.serving.crash_twin import ALERTING, Answers, Outcome, Ward, outcome, promote, requests, ward
from tests.serving.hooks import until
from tests.serving.models import make_model
from tests.serving.samples import body


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(deliveries, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(deliveries, "LONGEST_PAUSE", 0.05)


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
                self.pipeline.runtime.refresh()
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


@pytest.mark.parametrize("seed", [1])
def test_ten_kills_change_nothing(start, model, challenger, tmp_path, quick, seed):
    sent, models = requests(400, seed), {"v1": model, "v2": challenger}
    promotions, saves = {130: "v2", 260: "v1"}, set(range(25, 400, 37))
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
