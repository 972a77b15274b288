"""A trained network that the tests of the backtest share."""

import pytest

from netops.alerting.settings import AlertSettings
from netops.backtest.backtest import Backtest, backtest
from netops.serving.settings import ServingSettings
from tests.backtest.trainings import DAYS, Training, telemetry, train


@pytest.fixture(scope="session")
def training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    folder = tmp_path_factory.mktemp("training")
    return train(folder, telemetry(folder / "telemetry", 0, DAYS))


@pytest.fixture(scope="session")
def done(training: Training) -> Backtest:
    """The backtest of the telemetry that was trained on."""
    return backtest(training.telemetry, training.model, "small", ServingSettings(), AlertSettings())
