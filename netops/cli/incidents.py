"""``netops incidents``: incidents recorded for a network."""

from pathlib import Path

import click

from netops.cli import options
from netops.cli.alerts import desk, to
from netops.cli.output import print_json, print_rows
from netops.errors import UsageError

_COLUMNS = ["source", "id", "device", "start", "end", "scenario", "recorded"]


@click.group("incidents")
def command() -> None:
    """Record incidents of a network: every training from then on knows them."""


@command.command("add")
@click.argument("file", type=options.PATH)
@click.option("--source", help="Where they come from; default the name of the file.")
@options.name
@to
@options.common
def add(file: Path, source: str | None, name: str | None, url: str | None, as_json: bool) -> None:
    """Record the incidents of a CSV: device, start, end, and where there are id and scenario.

    The same log may be added again: what is known by source and id is brought up to date, not doubled. Without a
    column id, device and start tell one from the other. An empty end means that it still lasts.
    """
    options.must_exist(file)
    from netops.client.feedback import read_csv

    counts = desk(name, url).record(read_csv(file, source))
    if as_json:
        print_json(counts)
    else:
        click.echo(f"{file}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))


@command.command("list")
@options.name
@to
@options.common
def list_(name: str | None, url: str | None, as_json: bool) -> None:
    """List the recorded incidents in the order of their times."""
    import msgspec

    found = desk(name, url).feedback().incidents
    print_rows([msgspec.to_builtins(incident) for incident in found], _COLUMNS, as_json)


@command.command("remove")
@click.argument("source")
@click.argument("incident", metavar="[ID]", required=False)
@options.name
@options.common
def remove(source: str, incident: str | None, name: str | None, as_json: bool) -> None:
    """Take back an incident of a source, or all of them."""
    count = desk(name, None).forget(source, incident)
    if not count:
        what = f"incident '{incident}' of source" if incident else "incident of source"
        raise UsageError(f"no {what} '{source}'; 'netops incidents list' names them")
    if as_json:
        print_json({"removed": count})
    else:
        click.echo(f"removed {count} of {source}")
