"""A network that the tests of monitoring share."""

import pytest

from tests.monitoring.networks import Network

#: Days that its model was trained on.
TRAINED = 8


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """A small network with a model that was trained on eight days of it."""
    return Network(tmp_path_factory.mktemp("network"), TRAINED)
