"""The settings of one run: the YAML files of a folder, the defaults, and ``--set``.

They are passed from stage to stage as one JSON document, so that a step needs only its parameters; each
stage binds the sections it reads.
"""

import copy
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from netops.cluster.settings import CLUSTER, read_cluster_settings
from netops.config.binding import bind, parse_yaml, read_yaml
from netops.errors import UsageError, closest
from netops.workflows.project_folder import project_root

#: Section → the dataclass that reads it.
SECTIONS = {
    "fleet": "netops.simulator.fleet_settings:FleetSettings",
    "telemetry": "netops.telemetry.settings:TelemetrySettings",
    "features": "netops.features.settings:FeatureSettings",
    "training": "netops.training.settings:TrainingSettings",
    "alerting": "netops.alerting.settings:AlertSettings",
    "promotion": "netops.evaluation.promotion:PromotionSettings",
    "monitoring": "netops.monitoring.settings:MonitoringSettings",
    "serving": "netops.serving.settings:ServingSettings",
}
#: Read by the generator itself, which supports the original format.
METRICS = "metrics"

Document = dict[str, Any]


def read_settings(folder: Path | None = None, overrides: Iterable[str] = (), *, cluster: bool = False) -> Document:
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
    document: Document = {name: {} for name in travelling}
    document |= _read_folder(project_root() / "configurations", travelling)
    if folder is not None:
        document |= _read_folder(folder, travelling)
    return overridden(document, overrides)


def overridden(document: Mapping[str, Any], overrides: Iterable[str]) -> Document:
    """Copy settings with some values replaced, and check every key.

    Parameters
    ----------
    document : dict
        All sections.
    overrides : iterable of str
        As for :func:`read_settings`.
    """
    changed = copy.deepcopy(dict(document))
    for override in overrides:
        _override(changed, override)
    check(changed)
    return changed


def _read_folder(folder: Path, sections: Iterable[str] = (*SECTIONS, METRICS)) -> Document:
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


def _override(document: Document, override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise UsageError(f"--set {override}: write it as section.key=value")
    *way, last = key.strip().split(".")
    if not way or way[0] not in document:
        raise UsageError(
            f"--set {override}: no section '{key.split('.')[0]}'{closest(key.split('.')[0], document)}"
        )
    index = document
    for part in way:
        index = index.setdefault(part, {})
        if not isinstance(index, dict):
            raise UsageError(f"--set {override}: '{part}' holds a value, not keys")
    index[last] = _value(override, text)


def _value(override: str, text: str) -> Any:
    """Read a value as YAML; comments or directives of YAML (``# host``, ``%d.%m``) are text."""
    if text.lstrip().startswith(("#", "%", "@", "`")):
        return text
    try:
        return parse_yaml(text)
    except yaml.YAMLError:
        raise UsageError(f"--set {override}: '{text}' is not YAML") from None


def check(document: Document) -> None:
    """Bind every section once, so that a wrong key stops the run before it starts."""
    for name in SECTIONS:
        section(document, name)
    start_of(section(document, "fleet"))
    generator_settings(document)
    if CLUSTER in document:
        read_cluster_settings(document)


def section(document: Mapping[str, Any] | str, name: str) -> Any:
    """Bind one section.

    Parameters
    ----------
    document : dict or str
        The settings, or their JSON as it travels between stages.
    name : str
        A key of :data:`SECTIONS`.
    """
    values = parse(document).get(name)
    module, _, cls = SECTIONS[name].partition(":")
    return bind(getattr(import_module(module), cls), values, f"{name}.yaml")


def generator_settings(document: Mapping[str, Any] | str) -> Any:
    """Bind the generator's own section."""
    from netops.simulator.settings import GeneratorSettings

    return GeneratorSettings.from_yaml(parse(document).get(METRICS) or {})


def parse(document: Mapping[str, Any] | str) -> Mapping[str, Any]:
    """Read the settings back from their JSON; an empty document means the project's own configuration."""
    parsed: Mapping[str, Any] = json.loads(document) if isinstance(document, str) else document
    return parsed if set(parsed) - {CLUSTER} else {**_read_folder(project_root() / "configurations"), **parsed}


def start_of(fleet: Any) -> int:
    """Read the start of the generated telemetry, in nanoseconds since the epoch."""
    try:
        moment = datetime.fromisoformat(fleet.start)
    except ValueError:
        raise UsageError(f"fleet.yaml: start: '{fleet.start}' is not an ISO 8601 time") from None
    if moment.tzinfo is None:
        raise UsageError(f"fleet.yaml: start: '{fleet.start}' names no time zone; add Z for UTC")
    return round(moment.timestamp()) * 1_000_000_000
