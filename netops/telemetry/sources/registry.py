"""Select the source: addresses by their scheme, anything else as files."""

import re
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from netops.compute.cluster import Cluster
from netops.errors import UsageError, closest
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.sources.files import file_sources
from netops.telemetry.sources.protocol import Source

#: Scheme → the function that opens an address of it, called with address and settings.
SCHEMES: dict[str, str] = {
    "prometheus+http": "netops.telemetry.sources.prometheus:open_prometheus",
    "prometheus+https": "netops.telemetry.sources.prometheus:open_prometheus",
    "v3io": "netops.telemetry.sources.v3io:open_v3io",
}

# pathlib removes one of the slashes.
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/{1,2}(.*)", re.DOTALL)


def open_sources(
    paths: Sequence[Path | str],
    settings: TelemetrySettings,
    passed_over: dict[str, str] | None = None,
    cluster: Cluster | None = None,
) -> list[Source]:
    """Open files, folders and addresses.

    Parameters
    ----------
    paths : sequence of Path or str
    settings : TelemetrySettings
    passed_over : dict, optional
        Filled with the files of a folder that are not read → reason.
    cluster : Cluster, optional
        Whose workers read files to open them, where that is necessary.

    Raises
    ------
    NetopsError
        If something is missing or cannot be read.
    UsageError
        If there is nothing to open, or the scheme of an address is unknown.
    """
    if not paths:
        raise UsageError("no telemetry was given")
    sources: list[Source] = []
    files: list[Path] = []
    for path in paths:
        if match := _ADDRESS.fullmatch(str(path)):
            sources.append(_opener(match[1])(f"{match[1]}://{match[2]}", settings))
        else:
            files.append(Path(path))
    if files:
        # Together: the device column may only be recognizable from all files.
        sources[:0] = file_sources(files, settings, {} if passed_over is None else passed_over, cluster)
    return sources


def _opener(scheme: str) -> Callable[[str, TelemetrySettings], Source]:
    if scheme not in SCHEMES:
        raise UsageError(f"'{scheme}://' is not a telemetry source{closest(scheme, SCHEMES)}")
    module, name = SCHEMES[scheme].split(":")
    opener: Callable[[str, TelemetrySettings], Source] = getattr(import_module(module), name)
    return opener
