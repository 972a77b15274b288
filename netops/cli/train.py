"""``netops train``: train model families on feature vectors."""

from pathlib import Path

import click

from netops.cli import options
from netops.cli.output import note, print_json, print_rows, progress_bars
from netops.errors import UsageError


@click.command("train")
@click.option("--features", type=options.PATH, required=True, help="Folder that `netops features` wrote.")
@click.option("--family", "families", multiple=True, help="Families to train; default: all enabled ones.")
@options.logs
@options.name
@options.horizon
@click.option("--split", type=click.Choice(["time", "device"]), help="How to split off the test data.")
@options.trials
@options.budget
@options.workers
@options.scheduler
@options.config
@options.overrides
@options.common
def command(
    features: Path,
    families: tuple[str, ...],
    logs: tuple[Path, ...],
    name: str | None,
    horizon: int | None,
    split: str | None,
    trials: int | None,
    budget: int | None,
    workers: int | None,
    scheduler: str | None,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Train model families in parallel and register them as versions of the network's model.

    This does not change the model in service; use `netops models promote` for that.
    """
    from netops.workflows.settings import read_settings

    given = options.as_settings(horizon, split, trials, budget) + options.compute_settings(workers, scheduler)
    settings = read_settings(config, [*overrides, *given])
    if not features.is_dir():
        raise UsageError(f"--features {features}: no such folder")
    if logs:
        _refuse_logs(features)

    from netops.workflows.stages.training import train

    with progress_bars():
        trained = train(features.resolve(), families, name or "demo", settings)
    rows = [{"family": family, **figures} for family, figures in trained.items()]
    if as_json:
        print_json({"network": name or "demo", "models": trained})
        return
    columns = ["family", "version", "average_precision", "base_rate", "event_recall", "false_alarms_per_device_day"]
    print_rows(rows, columns, as_json=False)
    note("the model in service is unchanged; see: netops models list")


def _refuse_logs(features: Path) -> None:
    """Report that messages are counted before features are built."""
    from netops.telemetry.dataset import Dataset

    if "logs" in Dataset.open(features).meta.details:
        raise UsageError(f"--logs: {features} has the counts of log messages already; remove --logs")
    raise UsageError("--logs: messages are counted before features are built: netops features --logs PATH …")
