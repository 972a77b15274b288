"""The settings of one run: the YAML files of a folder, the defaults, and ``--set``.

They are bound once, where they enter a process. They are passed from stage to stage as one JSON document, so that a
step needs only its parameters.
"""

import copy
import dataclasses
import json
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import yaml

from netops import progress
from netops.alerting.settings import AlertSettings
from netops.cluster.settings import CLUSTER, ClusterSettings, read_cluster_settings
from netops.compute.settings import ComputeSettings
from netops.config.binding import bind, keys_in, parse_yaml, read_yaml
from netops.errors import UsageError, closest
from netops.evaluation.promotion import PromotionSettings
from netops.features.settings import FeatureSettings
from netops.json_types import Json, JsonDict, JsonObject
from netops.logs.settings import LogSettings
from netops.monitoring.settings import MonitoringSettings
from netops.serving.settings import ServingSettings
from netops.simulator.fleet_settings import FleetSettings
from netops.simulator.log_settings import GeneratedLogSettings
from netops.simulator.settings import GeneratorSettings
from netops.telemetry.settings import TelemetrySettings
from netops.training.settings import TrainingSettings
from netops.workflows.project_folder import project_root

Section = TypeVar("Section")

#: Keys that earlier versions had in another section: that section, the present one, the key and its default.
MOVED = (("features", "compute", "workers", 1), ("features", "compute", "scheduler", None))
#: Read by the generator itself, which supports the original format.
METRICS = "metrics"


@dataclass(frozen=True)
class Settings:
    """All settings of a run, a section each.

    Attributes
    ----------
    cluster : ClusterSettings or None
        None unless the run is for a cluster.
    document : mapping
        What the sections were bound from, without the defaults: this is what travels between stages.
    """

    fleet: FleetSettings
    telemetry: TelemetrySettings
    logs: LogSettings
    generated_logs: GeneratedLogSettings
    features: FeatureSettings
    training: TrainingSettings
    alerting: AlertSettings
    promotion: PromotionSettings
    monitoring: MonitoringSettings
    serving: ServingSettings
    compute: ComputeSettings
    cluster: ClusterSettings | None
    document: JsonObject = field(repr=False)

    @classmethod
    def bind(cls, document: JsonObject) -> "Settings":
        """Bind a document; one without sections means the project's own configuration.

        Raises
        ------
        UsageError
            For an unknown key, or an impossible value.
        """
        document = _moved(document)
        document = document if set(document) - {CLUSTER} else {**_project_configuration(), **document}
        return cls(
            fleet=_section(FleetSettings, document, "fleet"),
            telemetry=_section(TelemetrySettings, document, "telemetry"),
            logs=_section(LogSettings, document, "logs"),
            generated_logs=_section(GeneratedLogSettings, document, "generated_logs"),
            features=_section(FeatureSettings, document, "features"),
            training=_section(TrainingSettings, document, "training"),
            alerting=_section(AlertSettings, document, "alerting"),
            promotion=_section(PromotionSettings, document, "promotion"),
            monitoring=_section(MonitoringSettings, document, "monitoring"),
            serving=_section(ServingSettings, document, "serving"),
            compute=_section(ComputeSettings, document, "compute"),
            cluster=read_cluster_settings(document) if CLUSTER in document else None,
            document=document,
        )

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        """Bind the JSON that travels between stages."""
        return cls.bind(json.loads(text))

    def to_json(self) -> str:
        """Write the JSON that travels between stages."""
        return json.dumps(self.document)

    @cached_property
    def metrics(self) -> GeneratorSettings:
        """What is generated; bound when it is asked for, because a run on recorded telemetry may not have it."""
        return GeneratorSettings.from_yaml(keys_in(self.document.get(METRICS), f"{METRICS}.yaml"))


#: Section → the dataclass that reads it.
SECTIONS: dict[str, type] = {
    name: hint
    for name, hint in typing.get_type_hints(Settings).items()
    if isinstance(hint, type) and dataclasses.is_dataclass(hint)
}


def read_settings(folder: Path | None = None, overrides: Iterable[str] = (), *, cluster: bool = False) -> Settings:
    """Read the settings of a run and check every key.

    Parameters
    ----------
    folder : Path, optional
        YAML files, one a section; a section without a file keeps its defaults.
    overrides : iterable of str
        ``section.key=value``, the value in YAML.
    cluster : bool
        Whether the run is for a cluster: then the section ``cluster`` travels with it.

    Raises
    ------
    UsageError
        For an unknown file, section or key, or an impossible value.
    """
    travelling = (*SECTIONS, METRICS, *([CLUSTER] if cluster else []))
    document: JsonDict = {name: {} for name in travelling}
    document |= _read_folder(project_root() / "configurations", travelling)
    if folder is not None:
        document |= _read_folder(folder, travelling)
    return _checked(document, overrides)


def overridden(settings: Settings | JsonObject, overrides: Iterable[str]) -> Settings:
    """Copy settings with some values replaced, and check every key.

    Parameters
    ----------
    settings : Settings or mapping
        All sections.
    overrides : iterable of str
        As for :func:`read_settings`.
    """
    return _checked(settings.document if isinstance(settings, Settings) else settings, overrides)


def _checked(document: JsonObject, overrides: Iterable[str]) -> Settings:
    """Replace values and bind all of it, so that a wrong key stops the run before it starts."""
    changed = copy.deepcopy(dict(document))
    for override in overrides:
        _override(changed, override)
    settings = Settings.bind(changed)
    _ = settings.fleet.start_time, settings.metrics
    return settings


def _read_folder(folder: Path, sections: Iterable[str] = (*SECTIONS, METRICS)) -> JsonDict:
    if not folder.is_dir():
        raise UsageError(f"--config {folder}: no such folder")
    known = {f"{name}.yaml" for name in sections}
    files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    if not files:
        raise UsageError(f"--config {folder}: no YAML file there; known: {', '.join(sorted(known))}")
    for path in files:
        # The cluster's file is in the same folder; a run on this machine does not read it.
        if path.name not in known | {"cluster.yaml"}:
            raise UsageError(f"{path}: no such section{closest(path.name, known)}")
    return {path.stem: read_yaml(path) or {} for path in files if path.name in known}


def _override(document: JsonDict, override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise UsageError(f"--set {override}: write it as section.key=value")
    *way, last = key.strip().split(".")
    if not way or way[0] not in document:
        raise UsageError(
            f"--set {override}: no section '{key.split('.')[0]}'{closest(key.split('.')[0], document)}"
        )
    section = document
    for part in way:
        inner = section.setdefault(part, {})
        if not isinstance(inner, dict):
            raise UsageError(f"--set {override}: '{part}' holds a value, not keys")
        section = inner
    section[last] = _value(override, text)


def _value(override: str, text: str) -> Json:
    """Read a value as YAML; comments or directives of YAML (``# host``, ``%d.%m``) are text."""
    if text.lstrip().startswith(("#", "%", "@", "`")):
        return text
    try:
        return parse_yaml(text)
    except yaml.YAMLError:
        raise UsageError(f"--set {override}: '{text}' is not YAML") from None


def _moved(document: JsonObject) -> JsonObject:
    """Take keys from the section of earlier versions to the present one."""
    changed = dict(document)
    for old, new, key, default in MOVED:
        before, now = changed.get(old), changed.get(new) or {}
        if not isinstance(before, Mapping) or not isinstance(now, Mapping) or key not in before:
            continue
        # The project's own files have the default.
        if now.get(key, default) != default:
            raise UsageError(f"'{old}.{key}' is the old name of '{new}.{key}': keep one of them")
        progress.say_once(f"warn: '{old}.{key}' is now called '{new}.{key}'")
        changed[old] = {name: value for name, value in before.items() if name != key}
        changed[new] = {**now, key: before[key]}
    return changed


def _section(cls: type[Section], document: JsonObject, name: str) -> Section:
    return bind(cls, document.get(name), f"{name}.yaml")


def _project_configuration() -> JsonDict:
    return _read_folder(project_root() / "configurations")
