"""Options that several commands share, and the parsing of their values."""

import functools
import json
import os
import re
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from netops.config.durations import parse_duration
from netops.errors import UsageError
from netops.logs.formats.names import FORMATS

if TYPE_CHECKING:
    from netops.workflows.settings import Settings

Returned = TypeVar("Returned")


class DurationType(click.ParamType[int]):
    """A duration such as ``10m``, converted to nanoseconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the value in nanoseconds, or fail with a message."""
        if isinstance(value, int):
            return value
        try:
            return parse_duration(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


class TimeType(click.ParamType[int]):
    """A timestamp: ISO 8601 (UTC unless it has an offset) or epoch seconds, converted to nanoseconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the value in nanoseconds, or fail with a message."""
        from datetime import datetime

        if isinstance(value, int):
            return value
        try:
            moment = float(str(value))
        except ValueError:
            try:
                parsed = datetime.fromisoformat(str(value))
            except ValueError:
                self.fail(f"'{value}' is not a valid time; write it as 2026-01-31T12:00:00Z", param, ctx)
            aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
            moment = aware.timestamp()
        return round(moment * 1_000_000) * 1_000


DURATION, TIME = DurationType(), TimeType()
PATH = click.Path(path_type=Path)


def _network(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Reject names that are not valid as names of files and artifacts."""
    if value is not None and not _NAME.fullmatch(value):
        raise click.BadParameter(f"'{value}': use letters, digits, '-', '_' and '.', at most 64 characters")
    return value


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
name = click.option(
    "--name", callback=_network, help="Network; default: the stem of the first telemetry path, or demo."
)
config = click.option("--config", "config", type=PATH, help="Folder of YAML files that replace the defaults.")
overrides = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting, e.g. training.horizon=5m."
)
telemetry = click.option(
    "--telemetry", multiple=True, metavar="PATH", help="CSV or Parquet files, or folders of them."
)
incidents = click.option("--incidents", type=PATH, help="CSV of incidents: device, start, end.")
logs = click.option(
    "--logs", multiple=True, type=PATH, metavar="PATH", help="Logs of the devices: files, or folders of them."
)
events = click.option(
    "--events", multiple=True, type=PATH, metavar="CSV", help="Events of the devices: CSV of device, time, kind."
)
log_format = click.option(
    "--log-format", type=click.Choice([*FORMATS]), help="Format of the logs; default: detected for each file."
)
horizon = click.option("--horizon", type=DURATION, help="How far ahead to predict, e.g. 10m.")
workers = click.option(
    "--workers", type=click.IntRange(1), help="Compute on this many processes of a local Dask cluster."
)
scheduler = click.option("--scheduler", metavar="tcp://…", help="Compute on a running Dask cluster: its scheduler.")


trials = click.option(
    "--trials",
    type=click.IntRange(1),
    help="Hyper-parameter sets to try per family; reproducible with the same seed.",
)
budget = click.option(
    "--budget", type=DURATION, help="Time for the hyper-parameter search of all families together, e.g. 60s."
)


def log_settings(logs: tuple[Path, ...], log_format: str | None, events: tuple[Path, ...] = ()) -> list[str]:
    """Return ``--logs``, ``--log-format`` and ``--events`` as ``--set`` values."""
    given = [f"logs.format={log_format}"] if log_format else []
    for key, paths in (("paths", logs), ("events", events)):
        given += [f"logs.{key}={json.dumps([str(path.resolve()) for path in paths])}"] if paths else []
    return given


def compute_settings(workers: int | None, scheduler: str | None) -> list[str]:
    """Return ``--workers`` and ``--scheduler`` as ``--set`` values."""
    values = {"compute.workers": workers, "compute.scheduler": scheduler}
    return [f"{key}={value}" for key, value in values.items() if value is not None]


def as_settings(
    horizon: int | None, split: str | None, trials: int | None, budget: int | None, **more: object
) -> list[str]:
    """Return the options that have a configuration key as ``--set`` values; ``more``: named section__key."""
    from netops.config.durations import format_duration

    if trials and budget:
        raise UsageError("--trials and --budget exclude each other: limit the search by number or by time")
    values = {
        "training.horizon": horizon and format_duration(horizon),
        "training.split": split,
        # Each replaces the other if the configuration sets it.
        "training.trials": trials or (budget and "null"),
        "training.budget": (budget and format_duration(budget)) or (trials and "null"),
        **{key.replace("__", "."): value for key, value in more.items()},
    }
    return [f"{key}={value}" for key, value in values.items() if value is not None]


def common(function: Callable[..., Returned]) -> Callable[..., Returned]:
    """Add ``--json`` and ``--verbose`` to a command."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @click.option("--verbose", is_flag=True, help="Show tracebacks and log messages.")
    @functools.wraps(function)
    def wrapped(*args: object, verbose: bool, **kwargs: object) -> Returned:
        if verbose:
            os.environ["NETOPS_VERBOSE"] = "1"
        return function(*args, **kwargs)

    return wrapped


def must_have_samples(telemetry: tuple[str, ...], settings: "Settings") -> None:
    """Raise if there are neither telemetry nor logs, which may take its place."""
    if not (telemetry or settings.logs.paths):
        raise UsageError("give --telemetry PATH, or --logs PATH for a model of logs alone")


def paths(telemetry: tuple[str, ...]) -> tuple[str, ...]:
    """Return absolute paths of telemetry sources, valid wherever a stage runs; addresses stay unchanged."""
    from netops.telemetry.sources.address import absolute

    return tuple(absolute(source) for source in telemetry)


def must_exist(*sources: str | Path | None) -> None:
    """Raise UsageError if a file does not exist, before any work starts."""
    for source in sources:
        if source is not None and "://" not in str(source) and not Path(source).expanduser().exists():
            raise UsageError(f"{source}: no such file or folder")


def must_be_telemetry(*groups: tuple[str, ...], settings: "Settings") -> None:
    """Reject files that are not readable as telemetry, before a run is recorded."""
    local = [[source for source in group if "://" not in source] for group in groups]
    if not any(local):
        return
    from netops.telemetry.ingest import refuse_unreadable

    for group in local:
        refuse_unreadable(paths(tuple(group)), settings.telemetry)


def stem(source: str) -> str:
    """Return the network name for a telemetry source."""
    words = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(source).name.split(".")[0]).strip("-_")
    return words[:64].lower() or "telemetry"
