"""A broker for the tests of streams."""

import os
from collections.abc import Callable, Iterator

import pytest

from tests.broker.broker import Broker, kafka_folder, running_broker


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
