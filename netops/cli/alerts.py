"""``netops alerts``: list alerts and record feedback on them."""

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from netops.cli import options
from netops.cli.output import note as print_note
from netops.cli.output import print_json, print_rows, print_text
from netops.errors import UsageError

if TYPE_CHECKING:
    from netops.client.feedback import LocalFeedbackClient, RemoteFeedbackClient
    from netops.feedback.records import VerdictName
    from netops.serving.alerts.store import Alert

_COLUMNS = ["id", "kind", "device", "opened", "renewed", "ended", "peak", "verdict"]
to = click.option("--to", "url", metavar="URL", help="A remote server, instead of the alerts on this machine.")
_by = click.option("--by", help="Who gives the feedback; default: your user name.")
_note = click.option("--note", help="The reason, in one sentence.")


class Given(TypedDict):
    """Options of a verdict."""

    by: str | None
    note: str | None
    name: str | None
    url: str | None
    as_json: bool


@click.group("alerts")
def command() -> None:
    """List alerts and record feedback on them; the next training uses it as labels.

    A running server is not needed. ID may be shortened to a unique prefix.
    """


@command.command("list")
@click.option("--open", "open_only", is_flag=True, help="Only open alerts.")
@click.option("--since", type=options.TIME, default=0, help="Only alerts opened since this time (event time).")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Maximum number of alerts.")
@options.name
@to
@options.common
def list_(open_only: bool, since: int, limit: int, name: str | None, url: str | None, as_json: bool) -> None:
    """List alerts, newest first."""
    import msgspec

    found = feedback_client(name, url).alerts(open_only, since, limit)
    print_rows([msgspec.to_builtins(alert) if as_json else _row(alert) for alert in found], _COLUMNS, as_json)


@command.command("confirm")
@click.argument("alert", metavar="ID")
@_by
@_note
@options.name
@to
@options.common
def confirm(alert: str, **given: Unpack[Given]) -> None:
    """Record that the device was about to fail."""
    _record(alert, "confirmed", None, **given)


@command.command("dismiss")
@click.argument("alert", metavar="ID")
@_by
@_note
@options.name
@to
@options.common
def dismiss(alert: str, **given: Unpack[Given]) -> None:
    """Record that nothing was wrong with the device (a false alarm)."""
    _record(alert, "dismissed", None, **given)


@command.command("repaired")
@click.argument("alert", metavar="ID")
@click.option("--at", type=options.TIME, help="When it was repaired (event time).")
@_by
@_note
@options.name
@to
@options.common
def repaired(alert: str, at: int | None, **given: Unpack[Given]) -> None:
    """Record that the device was about to fail and was repaired before it did."""
    _record(alert, "repaired", at, **given)


@command.command("show")
@click.argument("alert", metavar="ID")
@options.name
@options.common
def show(alert: str, name: str | None, as_json: bool) -> None:
    """Show an alert of this machine and its feedback: each record with its author and time."""
    import msgspec

    found, recorded = local_client(name).show(alert)
    statements = [msgspec.to_builtins(statement) for statement in recorded]
    if as_json:
        print_json({**msgspec.to_builtins(found), "statements": statements})
        return
    for key, value in msgspec.to_builtins(found).items():
        if key != "reasons" and value not in (None, []):
            print_text(f"{key.replace('_', ' '):12} {value}")
    for reason in found.reasons:
        print_text(f"{'reason':12} {reason.text or reason.feature} ({reason.contribution:+.2f})")
    print_rows(statements, ["given", "verdict", "by", "repaired_at", "note"], as_json=False)


@command.command("export")
@click.option("--out", required=True, type=options.PATH, help="File to write (JSON).")
@options.name
@to
@options.common
def export(out: Path, name: str | None, url: str | None, as_json: bool) -> None:
    """Write all feedback and recorded incidents to a file, for a training on another machine."""
    import msgspec

    from netops.files import write_text

    found = feedback_client(name, url).feedback()
    write_text(out, msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n")
    summary = {"out": str(out), "incidents": len(found.incidents), "verdicts": len(found.verdicts)}
    if as_json:
        print_json(summary)
    else:
        click.echo(f"{out}: verdicts {summary['verdicts']}, incidents {summary['incidents']}")


@command.command("deliveries")
@click.option("--all", "every", is_flag=True, help="Include deliveries that are still pending.")
@click.option("--retry", is_flag=True, help="Send the rejected deliveries again.")
@options.name
@options.common
def deliveries(every: bool, retry: bool, name: str | None, as_json: bool) -> None:
    """List the deliveries that receivers rejected (parked), with the responses; --retry sends them again."""
    import msgspec

    client = local_client(name)
    if retry:
        count = client.retry()
        if as_json:
            print_json({"retried": count})
        else:
            click.echo(f"{count} parked deliveries are queued again")
        return
    rows = [msgspec.to_builtins(entry) for entry in client.deliveries(every)]
    print_rows(rows, ["number", "state", "receiver", "event", "alert", "tries", "answer"], as_json)


def _record(
    alert: str,
    verdict: "VerdictName",
    at: int | None,
    by: str | None,
    note: str | None,
    name: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    import msgspec

    from netops.feedback.records import Statement
    from netops.serving.decode.times import iso

    statement = Statement(verdict=verdict, by=by or _user(), note=note, repaired_at=None if at is None else iso(at))
    found, statements, changed = feedback_client(name, url).record_verdict(alert, statement)
    if as_json:
        answer = {"alert": found.id, "device": found.device, "verdict": found.verdict, "changed": changed}
        print_json(answer | {"statements": [msgspec.to_builtins(entry) for entry in statements]})
        return
    print_text(f"{found.id}: {_about(found)}, {found.verdict}")
    if not changed:
        print_note("already recorded")


def feedback_client(name: str | None, url: str | None) -> "LocalFeedbackClient | RemoteFeedbackClient":
    """Return a client for the alerts on this machine, or for a server."""
    from netops.client.feedback import RemoteFeedbackClient
    from netops.serving.requests.access import read_token

    if url is None:
        return local_client(name)
    if name is not None:
        raise UsageError("--name and --to exclude each other: the server at --to serves one network")
    return RemoteFeedbackClient(url, read_token())


def local_client(name: str | None) -> "LocalFeedbackClient":
    """Return a client for the alerts on this machine."""
    from netops.client.feedback import LocalFeedbackClient

    return LocalFeedbackClient(name or "demo")


def _row(alert: "Alert") -> dict[str, object]:
    import msgspec

    row: dict[str, object] = msgspec.to_builtins(alert)
    who = alert.device or f"{alert.data_center or alert.company} ({len(alert.devices)} devices)"
    return row | {"device": who, "renewed": alert.renewed[-1] if alert.renewed else None}


def _about(alert: "Alert") -> str:
    return str(alert.device or f"site {alert.site}")


def _user() -> str | None:
    """Return the user name; None where the system has none, as in some containers."""
    from getpass import getuser

    try:
        return getuser()
    except (OSError, KeyError):
        return None
