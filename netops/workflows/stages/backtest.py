"""A backtest of a network's champion, or of another version, over telemetry of the past."""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

from netops import progress
from netops.backtest.backtest import Backtest, backtest
from netops.models.card import read_card
from netops.models.likeness import likeness
from netops.serving.engine.champion import FixedModel
from netops.workflows.settings import Settings
from netops.workflows.stages.feedback import merge_into_copy
from netops.workflows.stages.log_columns import with_logs_of
from netops.workflows.stages.log_samples import telemetry_for


def backtest_model(
    network: str, model: Path, sources: Sequence[str], incidents: Path | None, settings: Settings
) -> Backtest:
    """Replay telemetry with a model.

    Parameters
    ----------
    network : str
    model : Path
        Model folder.
    sources : sequence of str
        Files, folders or addresses of telemetry.
    incidents : Path, optional
        CSV of incidents, if the telemetry is not labelled.
    settings : Settings
        All sections of the configuration.

    Raises
    ------
    NetopsError
        If the telemetry cannot be read or lacks metrics of the model, or the model cannot serve.
    """
    card = read_card(model)
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch:
        telemetry = telemetry_for(card, sources, settings, Path(scratch), incidents)
        telemetry = with_logs_of(telemetry, card, settings, Path(scratch) / "counted")
        for line in likeness(telemetry, card).lines():
            progress.say(line)
        telemetry = merge_into_copy(telemetry, network, settings.telemetry, Path(scratch))
        done = backtest(
            telemetry,
            FixedModel(card.version, model),
            network,
            settings.serving,
            settings.alerting,
            seed=settings.training.seed,
            progress=progress.report,
        )
    return dataclasses.replace(done, card=dataclasses.replace(done.card, network=network))
