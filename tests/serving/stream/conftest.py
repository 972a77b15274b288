"""A broker for the tests of streams."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.broker.broker import Broker, kafka_folder, running_broker
from tests.serving.stream.stores import StoreServer, running_store


@pytest.fixture(scope="session")
def require_broker(require_program: Callable[..., str]) -> str:
    """Java, with which a broker can be started; without it or the broker's files the test skips, or fails."""
    java = require_program("java")
    if not (kafka_folder() / ".complete").exists():
        reason = "the files of Kafka are missing: sh tests/broker/fetch.sh"
        if os.environ.get("NETOPS_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return java


@pytest.fixture(scope="session")
def broker(require_broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(require_broker, tmp_path_factory.mktemp("broker")) as started:
        yield started


@pytest.fixture(scope="session")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with running_store(tmp_path_factory.mktemp("store")) as started:
        yield started


@pytest.fixture
def store(store_server: StoreServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoreServer:
    """An object store, and in the environment what its clients need; they work in the home folder."""
    for name, value in {**store_server.environment, "NETOPS_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(name, value)
    return store_server


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.soak)])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where processes share their states."""
    return tmp_path / "state" if request.param == "folder" else request.getfixturevalue("store").bucket()
