"""Options that several verbs share, and how their values are read."""

import functools
import os
import re
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any, TypeVar

import click

from netops.config.durations import parse_duration
from netops.errors import UsageError

Function = TypeVar("Function", bound=Callable[..., Any])


class DurationType(click.ParamType[int]):
    """A duration such as ``10m``, held in nanoseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it, or say what is wrong with it."""
        if isinstance(value, int):
            return value
        try:
            return parse_duration(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


class TimeType(click.ParamType[int]):
    """An instant: ISO 8601 (UTC unless it says otherwise) or epoch seconds, held in nanoseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it, or say what is wrong with it."""
        from datetime import datetime

        if isinstance(value, int):
            return value
        try:
            moment = float(value)
        except ValueError:
            try:
                parsed = datetime.fromisoformat(value)
            except ValueError:
                self.fail(f"'{value}' is not a valid time; write it as 2026-01-31T12:00:00Z", param, ctx)
            aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
            moment = aware.timestamp()
        return round(moment * 1_000_000) * 1_000


DURATION, TIME = DurationType(), TimeType()
PATH = click.Path(path_type=Path)


def _network(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse names that are no names of files and artifacts too."""
    if value is not None and not _NAME.fullmatch(value):
        raise click.BadParameter(f"'{value}': use letters, digits, '-', '_' and '.', at most 64 in all")
    return value


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
name = click.option(
    "--name", callback=_network, help="Network; default demo, else the stem of the first telemetry path."
)
config = click.option("--config", "config", type=PATH, help="Folder of YAML files in place of the defaults.")
overrides = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="One setting, e.g. training.horizon=5m."
)
telemetry = click.option(
    "--telemetry", multiple=True, metavar="PATH", help="CSV or Parquet files, or folders of them."
)
incidents = click.option("--incidents", type=PATH, help="CSV of incidents: device, start, end.")
horizon = click.option("--horizon", type=DURATION, help="How far ahead to predict, e.g. 10m.")
workers = click.option("--workers", type=click.IntRange(1), help="Processes of a local Dask cluster.")
scheduler = click.option("--scheduler", metavar="tcp://…", help="A running Dask scheduler.")


trials = click.option(
    "--trials",
    type=click.IntRange(1),
    help="Hyper-parameter sets to try for each family; the same seed, the same models.",
)
budget = click.option(
    "--budget", type=DURATION, help="Try hyper-parameters for so long, all families together, e.g. 60s."
)


def as_settings(
    horizon: int | None, split: str | None, trials: int | None, budget: int | None, **more: Any
) -> list[str]:
    """Say the options that have a key in the configuration as ``--set`` would; ``more``: by section and key."""
    from netops.config.durations import format_duration

    if trials and budget:
        raise UsageError("--trials and --budget exclude each other: a number of trials, or a time for them")
    values = {
        "training.horizon": horizon and format_duration(horizon),
        "training.split": split,
        # Either takes the place of the other, should that be configured.
        "training.trials": trials or (budget and "null"),
        "training.budget": (budget and format_duration(budget)) or (trials and "null"),
        **{key.replace("__", "."): value for key, value in more.items()},
    }
    return [f"{key}={value}" for key, value in values.items() if value is not None]


def common(function: Function) -> Function:
    """Add ``--json`` and ``--verbose`` to a verb."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @click.option("--verbose", is_flag=True, help="Show tracebacks and the log.")
    @functools.wraps(function)
    def wrapped(*args: Any, verbose: bool, **kwargs: Any) -> Any:
        if verbose:
            os.environ["NETOPS_VERBOSE"] = "1"
        return function(*args, **kwargs)

    return wrapped  # type: ignore[return-value]


def paths(telemetry: tuple[str, ...]) -> tuple[str, ...]:
    """Give telemetry sources in full, so that they hold wherever a stage runs; addresses stay as they are."""
    return tuple(s if "://" in s else str(Path(s).expanduser().resolve()) for s in telemetry)


def must_exist(*sources: str | Path | None) -> None:
    """Refuse files that are not there before any work starts."""
    for source in sources:
        if source is not None and "://" not in str(source) and not Path(source).expanduser().exists():
            raise UsageError(f"{source}: no such file or folder")


def must_be_telemetry(*groups: tuple[str, ...], settings: dict[str, Any]) -> None:
    """Refuse files whose columns are not those of telemetry, before a run is recorded."""
    local = [[source for source in group if "://" not in source] for group in groups]
    if not any(local):
        return
    from netops.telemetry.ingest import refuse_unreadable
    from netops.workflows.settings import section

    for group in local:
        refuse_unreadable(paths(tuple(group)), section(settings, "telemetry"))


def stem(source: str) -> str:
    """Name a network after the first source of its telemetry."""
    words = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(source).name.split(".")[0]).strip("-_")
    return words[:64].lower() or "telemetry"
