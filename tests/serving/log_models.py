"""A model that counts messages and events, and messages of its devices."""

from pathlib import Path

from netops.config.durations import MINUTE, SECOND
from netops.features.spec import FeatureSpec
from netops.logs.columns import LogColumns
from netops.logs.events import EventColumns
from netops.logs.templates.miner import Templates
from tests.serving.models import METRICS, make_model

TEXTS = (
    "%LINK-3-UPDOWN: Interface Ethernet1, changed state to down",
    "%LINK-3-UPDOWN: Interface Ethernet1, changed state to up",
    "%SYS-5-CONFIG_I: Configured from console by admin on vty0",
    "fan tray 2 speed changed to 80%",
)
REACH = 50 * SECOND


def log_columns(*selected: str, texts: tuple[str, ...] = TEXTS) -> LogColumns:
    """Count the messages of some texts; the templates are learned from all."""
    templates = Templates()
    templates.learn(texts)
    numbers = templates.find(selected).tolist()
    return LogColumns(templates, tuple(sorted(numbers)), REACH)


def make_log_model(folder: Path, columns: LogColumns, version: str = "v1", seed: int = 0) -> Path:
    """Write a model of four metrics, messages and two kinds of events."""
    events = EventColumns(("config", "reboot"), REACH)
    metrics = (*METRICS, *columns.names, *events.names)
    spec = FeatureSpec(metrics, (MINUTE,), ("mean", "max"))
    return make_model(
        folder, version, spec, seed=seed, trees=60, depth=6, logs=columns.to_dict(), events=events.to_dict()
    )
