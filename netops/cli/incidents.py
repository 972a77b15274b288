"""``netops incidents``: manage recorded incidents."""

from pathlib import Path

import click

from netops.cli import options
from netops.cli.alerts import feedback_client, local_client, to
from netops.cli.output import print_json, print_rows
from netops.errors import UsageError

_COLUMNS = ["source", "id", "device", "start", "end", "scenario", "recorded"]


@click.group("incidents")
def command() -> None:
    """Manage recorded incidents; trainings use them as labels."""


@command.command("add")
@click.argument("file", type=options.PATH)
@click.option("--source", help="Name of their source; default: the file name.")
@options.name
@to
@options.common
def add(file: Path, source: str | None, name: str | None, url: str | None, as_json: bool) -> None:
    """Record the incidents of a CSV file with the columns device, start, end and, optionally, id and scenario.

    The same file may be added again: an incident with a known source and id is updated, not duplicated. Without a
    column id, device and start identify an incident. An empty end means that the incident is ongoing.
    """
    options.must_exist(file)
    from netops.client.feedback import read_csv

    counts = feedback_client(name, url).record(read_csv(file, source))
    if as_json:
        print_json(counts)
    else:
        click.echo(f"{file}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))


@command.command("list")
@options.name
@to
@options.common
def list_(name: str | None, url: str | None, as_json: bool) -> None:
    """List the recorded incidents in order of time."""
    import msgspec

    found = feedback_client(name, url).feedback().incidents
    print_rows([msgspec.to_builtins(incident) for incident in found], _COLUMNS, as_json)


@command.command("remove")
@click.argument("source")
@click.argument("incident", metavar="[ID]", required=False)
@options.name
@options.common
def remove(source: str, incident: str | None, name: str | None, as_json: bool) -> None:
    """Remove one incident of a source, or all of them."""
    count = local_client(name).remove(source, incident)
    if not count:
        what = f"incident '{incident}' of source" if incident else "incident of source"
        raise UsageError(f"no {what} '{source}'; see 'netops incidents list'")
    if as_json:
        print_json({"removed": count})
    else:
        click.echo(f"removed {count} of {source}")
