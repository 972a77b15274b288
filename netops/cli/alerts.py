"""``netops alerts``: what was warned of, and what it was."""

from pathlib import Path
from typing import Any

import click

from netops.cli import options
from netops.cli.output import note as tell
from netops.cli.output import print_json, print_rows, say
from netops.errors import UsageError

_COLUMNS = ["id", "kind", "device", "opened", "renewed", "ended", "peak", "verdict"]
to = click.option("--to", "url", metavar="URL", help="A server elsewhere, in place of this machine's alerts.")
_by = click.option("--by", help="Who says it; default your user name.")
_note = click.option("--note", help="Why, in a sentence.")


@click.group("alerts")
def command() -> None:
    """List alerts, and say what they were: the next training learns from it.

    With or without a running server; ID may be the beginning of an id that no other alert has.
    """


@command.command("list")
@click.option("--open", "open_only", is_flag=True, help="Those that have not ended.")
@click.option("--since", type=options.TIME, default=0, help="Opened since then, by the time of the samples.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The newest so many.")
@options.name
@to
@options.common
def list_(open_only: bool, since: int, limit: int, name: str | None, url: str | None, as_json: bool) -> None:
    """List alerts, the newest first."""
    import msgspec

    found = [msgspec.to_builtins(alert) for alert in desk(name, url).alerts(open_only, since, limit)]
    print_rows([alert if as_json else _row(alert) for alert in found], _COLUMNS, as_json)


@command.command("confirm")
@click.argument("alert", metavar="ID")
@_by
@_note
@options.name
@to
@options.common
def confirm(alert: str, **asked: Any) -> None:
    """Say that the device was about to fail."""
    _say(alert, "confirmed", None, **asked)


@command.command("dismiss")
@click.argument("alert", metavar="ID")
@_by
@_note
@options.name
@to
@options.common
def dismiss(alert: str, **asked: Any) -> None:
    """Say that nothing was wrong with the device."""
    _say(alert, "dismissed", None, **asked)


@command.command("repaired")
@click.argument("alert", metavar="ID")
@click.option("--at", type=options.TIME, help="When it was repaired, by the time of the samples.")
@_by
@_note
@options.name
@to
@options.common
def repaired(alert: str, at: int | None, **asked: Any) -> None:
    """Say that the device was about to fail, and was repaired before it did."""
    _say(alert, "repaired", at, **asked)


@command.command("show")
@click.argument("alert", metavar="ID")
@options.name
@options.common
def show(alert: str, name: str | None, as_json: bool) -> None:
    """Show an alert of this machine and all that was said of it, by whom and when."""
    import msgspec

    found, said = desk(name, None).show(alert)
    statements = [msgspec.to_builtins(statement) for statement in said]
    if as_json:
        print_json({**msgspec.to_builtins(found), "statements": statements})
        return
    for key, value in msgspec.to_builtins(found).items():
        if key != "reasons" and value not in (None, []):
            say(f"{key.replace('_', ' '):12} {value}")
    for reason in found.reasons:
        say(f"{'reason':12} {reason.feature} {reason.contribution:+.2f}")
    print_rows(statements, ["given", "verdict", "by", "repaired_at", "note"], as_json=False)


@command.command("export")
@click.option("--out", required=True, type=options.PATH, help="File to write (JSON).")
@options.name
@to
@options.common
def export(out: Path, name: str | None, url: str | None, as_json: bool) -> None:
    """Write all verdicts and recorded incidents to a file, for a training elsewhere."""
    import msgspec

    from netops.files import write_text

    found = desk(name, url).feedback()
    write_text(out, msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n")
    told = {"out": str(out), "incidents": len(found.incidents), "verdicts": len(found.verdicts)}
    if as_json:
        print_json(told)
    else:
        click.echo(f"{out}: verdicts {told['verdicts']}, incidents {told['incidents']}")


@command.command("deliveries")
@click.option("--all", "every", is_flag=True, help="Those that are still due, too.")
@click.option("--retry", is_flag=True, help="Send those that receivers refuse once more.")
@options.name
@options.common
def deliveries(every: bool, retry: bool, name: str | None, as_json: bool) -> None:
    """List what receivers refuse (parked), with their answers; --retry sends it again."""
    import msgspec

    found = desk(name, None)
    if retry:
        count = found.retry()
        if as_json:
            print_json({"retried": count})
        else:
            click.echo(f"{count} parked deliveries are due again")
        return
    rows = [msgspec.to_builtins(entry) for entry in found.deliveries(every)]
    print_rows(rows, ["number", "state", "receiver", "event", "alert", "tries", "answer"], as_json)


def _say(
    alert: str,
    verdict: Any,
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

    said = Statement(verdict=verdict, by=by or _user(), note=note, repaired_at=None if at is None else iso(at))
    found, statements, changed = desk(name, url).say(alert, said)
    if as_json:
        told = {"alert": found.id, "device": found.device, "verdict": found.verdict, "changed": changed}
        print_json(told | {"statements": [msgspec.to_builtins(statement) for statement in statements]})
        return
    say(f"{found.id}: {_about(found)}, {found.verdict}")
    if not changed:
        tell("it was said before")


def desk(name: str | None, url: str | None) -> Any:
    """Go to this machine's alerts, or to a server."""
    from netops.client.feedback import LocalDesk, RemoteDesk
    from netops.serving.http.access import read_token

    if url is None:
        return LocalDesk(name or "demo")
    if name is not None:
        raise UsageError("--name goes with the alerts of this machine; the server of --to has its own network")
    return RemoteDesk(url, read_token())


def _row(alert: dict[str, Any]) -> dict[str, Any]:
    who = alert["device"] or f"{alert['data_center'] or alert['company']} ({len(alert['devices'])} devices)"
    return {**alert, "device": who, "renewed": alert["renewed"][-1] if alert["renewed"] else None}


def _about(alert: Any) -> str:
    return str(alert.device or f"site {alert.site}")


def _user() -> str | None:
    """Name who is at the keyboard; a container may not know."""
    from getpass import getuser

    try:
        return getuser()
    except (OSError, KeyError):
        return None
