"""The copy of the champion in the state folder."""

import json
import logging
from pathlib import Path

import pytest

from netops.errors import NetopsError, NoChampionError
from netops.serving.engine.champion import Champion, ChampionFile, FixedModel
from netops.serving.engine.last_champion import LastChampion
from netops.serving.engine.runtime import Runtime


@pytest.fixture
def registry(tmp_path: Path) -> ChampionFile:
    return ChampionFile(tmp_path / "registry" / "champion.json")


def trained(tmp_path: Path, version: str) -> Path:
    folder = tmp_path / "models" / version
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps({"version": version}))
    return folder


def ended(registry: ChampionFile) -> None:
    """Let the registry fail, as a service that is away does."""
    registry.file.write_text("{")


def version_of(champion: Champion) -> str:
    return json.loads((champion.path / "card.json").read_text())["version"]


def test_the_last_champion_is_named_while_the_registry_is_away(tmp_path, registry, caplog) -> None:
    registry.promote("a", trained(tmp_path, "a"))
    folder = tmp_path / "state" / "champion"
    assert LastChampion(registry, folder).champion().version == "a"
    ended(registry)
    again = LastChampion(registry, folder)
    with caplog.at_level(logging.WARNING):
        found = [again.champion() for _ in range(3)]
    assert [(one.version, version_of(one), folder in one.path.parents) for one in found] == [("a", "a", True)] * 3
    assert len(caplog.records) == 1
    assert "a stays in service" in caplog.text


def test_a_new_champion_replaces_the_copy(tmp_path, registry) -> None:
    folder = tmp_path / "champion"
    source = LastChampion(registry, folder)
    for version in ("a", "b"):
        registry.promote(version, trained(tmp_path, version))
        assert version_of(source.champion()) == version
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 1
    ended(registry)
    assert version_of(LastChampion(registry, folder).champion()) == "b"


def test_a_registry_without_a_champion_is_believed(tmp_path, registry) -> None:
    registry.promote("a", trained(tmp_path, "a"))
    source = LastChampion(registry, tmp_path / "champion")
    source.champion()
    registry.file.unlink()
    with pytest.raises(NoChampionError):
        source.champion()


def test_without_a_copy_the_registry_error_is_reported(tmp_path, registry) -> None:
    registry.file.parent.mkdir()
    ended(registry)
    with pytest.raises(NetopsError, match="there is no local copy"):
        LastChampion(registry, tmp_path / "champion").champion()


def test_the_shadow_is_copied_too(tmp_path, registry) -> None:
    registry.promote("a", trained(tmp_path, "a"))
    registry.put_in_shadow("b", trained(tmp_path, "b"))
    folder = tmp_path / "champion"
    source = LastChampion(registry, folder)
    assert [version_of(source.champion()), version_of(source.shadow())] == ["a", "b"]
    whole = registry.file.read_text()
    ended(registry)
    again = LastChampion(registry, folder)
    assert [version_of(again.champion()), version_of(again.shadow())] == ["a", "b"]
    registry.file.write_text(whole)
    registry.end_shadow()
    assert [version_of(again.champion()), again.shadow()] == ["a", None]
    ended(registry)
    assert [version_of(again.champion()), again.shadow()] == ["a", None]


def test_while_the_registry_is_away_it_is_asked_once_a_round(tmp_path, registry, monkeypatch) -> None:
    registry.promote("a", trained(tmp_path, "a"))
    source = LastChampion(registry, tmp_path / "champion")
    source.champion()
    ended(registry)
    asked = []
    monkeypatch.setattr(ChampionFile, "shadow", lambda file: asked.append(file.file))
    assert [source.champion().version, source.shadow()] == ["a", None]
    assert registry.file not in asked


def test_a_kill_during_copying_leaves_the_previous_copy_intact(tmp_path, registry, monkeypatch) -> None:
    folder = tmp_path / "champion"
    registry.promote("a", trained(tmp_path, "a"))
    LastChampion(registry, folder).champion()
    registry.promote("b", trained(tmp_path, "b"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", _interrupted)
        LastChampion(registry, folder).champion()
    whole = registry.file.read_text()
    ended(registry)
    assert version_of(LastChampion(registry, folder).champion()) == "a"
    registry.file.write_text(whole)
    assert version_of(LastChampion(registry, folder).champion()) == "b"


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_champion_that_cannot_be_copied_is_served(tmp_path, registry, caplog) -> None:
    registry.promote("a", trained(tmp_path, "a"))
    (tmp_path / "full").write_text("")
    found = LastChampion(registry, tmp_path / "full" / "champion").champion()
    assert (found.version, version_of(found)) == ("a", "a")
    assert "could not be copied" in caplog.text


def test_a_server_that_finds_no_champion_lets_go_of_its_state(tmp_path, registry, model) -> None:
    state = tmp_path / "state"
    with pytest.raises(NoChampionError):
        Runtime("demo", registry, folder=state)
    runtime = Runtime("demo", FixedModel("v1", model), folder=state)
    runtime.close()
    assert (state / "champion" / "champion.json").is_file()
