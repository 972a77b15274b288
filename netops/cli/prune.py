"""``netops prune``: delete old runs and what they left on disk."""

import click

from netops.cli import options
from netops.cli.output import print_json
from netops.errors import UsageError


@click.command("prune")
@click.option("--keep", type=click.IntRange(0), help="Keep the newest so many runs.")
@click.option("--older-than", type=options.DURATION, help="Delete runs that began longer ago.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@options.common
def command(keep: int | None, older_than: int | None, dry_run: bool, as_json: bool) -> None:
    """Delete runs with their records, files and unused model versions.

    A run that is still going, the champions and the champions before them are kept.
    """
    if (keep is None) == (older_than is None):
        raise UsageError("give one of --keep and --older-than")
    from netops.workflows.project import load_project

    load_project()
    from netops.workflows.pruning import prune

    gone = prune(keep=keep, older_than=older_than, dry_run=dry_run)
    if as_json:
        print_json({**gone, "dry_run": dry_run})
        return
    verb = "would delete" if dry_run else "deleted"
    click.echo(f"{verb} {len(gone['runs'])} runs and {len(gone['models'])} models, {gone['bytes'] / 2**20:,.0f} MB")
