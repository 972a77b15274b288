"""``netops prune``: delete old runs and their files."""

import click

from netops.cli import options
from netops.cli.output import print_json
from netops.errors import UsageError


@click.command("prune")
@click.option("--keep", type=click.IntRange(0), help="Number of newest runs to keep.")
@click.option("--older-than", type=options.DURATION, help="Delete runs that started longer ago.")
@click.option("--dry-run", is_flag=True, help="Print what would be deleted, and delete nothing.")
@options.common
def command(keep: int | None, older_than: int | None, dry_run: bool, as_json: bool) -> None:
    """Delete runs with their records, files and unused model versions.

    Active runs, the champions and the previous champions are not deleted.
    """
    if (keep is None) == (older_than is None):
        raise UsageError("pass either --keep or --older-than")
    from netops.workflows.project import load_project

    load_project()
    from netops.workflows.pruning import prune

    found = prune(keep=keep, older_than=older_than, dry_run=dry_run)
    if as_json:
        print_json({**found, "dry_run": dry_run})
        return
    verb = "would delete" if dry_run else "deleted"
    click.echo(
        f"{verb} {len(found['runs'])} runs and {len(found['models'])} models, {found['bytes'] / 2**20:,.0f} MB"
    )
