"""``netops models``: manage the model versions of a network."""

from types import ModuleType
from typing import TYPE_CHECKING

import click

from netops.cli import model_card, options
from netops.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from netops.registry import Model
    from netops.serving.shadow.report import ShadowReport

#: Fields of a model that are printed in addition to its metrics.
_KNOWN = ("network", "version", "family", "state", "state_reason", "champion", "shadow", "created")


@click.group("models")
def command() -> None:
    """List and show models; promote, reject or roll back a version."""


@command.command("list")
@options.name
@options.common
def list_(name: str | None, as_json: bool) -> None:
    """List models, newest first."""
    registry = _registry()
    rows = [_row(model) for model in registry.versions(name)]
    shown = rows if as_json else [model_card.listed(row) for row in rows]
    print_rows(shown, list(model_card.LISTED.values()), as_json)


@command.command("show")
@click.argument("version", required=False)
@options.name
@options.common
def show(version: str | None, name: str | None, as_json: bool) -> None:
    """Show a model, by default the champion: its metrics with intervals, and the promotions of its network."""
    registry = _registry()
    from netops.models.card import read_card
    from netops.serving.shadow.scoring import read_report
    from netops.tracking.folders import local_model

    network = name or "demo"
    model = registry.find(network, version) if version else registry.the_champion(network)
    card = read_card(local_model(model.uri))
    history, shadowed = registry.history(network), read_report(network, model.version)
    if as_json:
        details = {"uri": model.uri, "path": model.path, "card": card.to_dict(), "history": history}
        print_json(_row(model) | details | {"as_shadow": shadowed})
        return
    for key in ("network", "version", "family", "champion", "shadow", "created", "path"):
        click.echo(f"{key:10} {getattr(model, key)}")
    click.echo(f"{'state':10} {model.state}{f': {model.state_reason}' if model.state_reason else ''}")
    for line in model_card.described(card):
        click.echo(line)
    if history:
        click.echo("\nPromotions, newest first")
        print_rows(history, ["at", "version", "before", "reason"], as_json)
    if shadowed:
        _print_shadow(shadowed, model.shadow)


def _registry() -> ModuleType:
    from netops.workflows.project import load_project

    load_project()
    from netops import registry

    return registry


def _row(model: "Model") -> dict[str, object]:
    return {key: getattr(model, key) for key in _KNOWN} | model.metrics | {"intervals": model.intervals}


def _print_shadow(report: "ShadowReport", running: bool) -> None:
    """Print how a version performs, or performed, as a shadow of the champion."""
    if report.get("failure"):
        click.echo(f"\nthe shadow was stopped by a failure: {report['failure']}")
    if "samples" not in report:
        return
    now, agreement = "is" if running and not report.get("failure") else "was", report["agreement"]
    click.echo(f"\nit {now} a shadow of {report['champion']}: {report['samples']:,} samples", nl=False)
    if not report["samples"]:
        click.echo()
        return
    click.echo(f" from {report['since']} to {report['until']}")
    click.echo(
        f"mean difference of the risks: {report['mean_difference']:.3g}; both models agree on the threshold for "
        f"{agreement['share']:.2%} of the samples"
    )
    evaluated = report["judged"]
    rows = [
        {"model": role, **alerts, **(evaluated[role] if evaluated else {})}
        for role, alerts in report["alerts"].items()
    ]
    columns = ["model", "opened", "shared", "only"]
    assessed = ["incidents", "warned", "false_alarms", "event_recall", "false_alarms_per_device_day"]
    print_rows(rows, columns + ([*assessed, "median_lead_seconds"] if evaluated else []), as_json=False)


@command.command("promote")
@click.argument("version")
@options.name
@options.common
def promote(version: str, name: str | None, as_json: bool) -> None:
    """Put a version in service; a running server switches to it without downtime.

    A version that was rejected or never verified is verified first: it must reproduce its test scores.
    """
    registry = _registry()
    _print_model(registry.promote_by_hand(name or "demo", version, _prove), as_json)


def _prove(model: "Model") -> object:
    from netops.serving.mlrun.proof import prove
    from netops.tracking.folders import local_model
    from netops.training.proof import FILE

    folder = local_model(model.uri)
    return prove(folder) if (folder / FILE).is_file() else None


@command.command("reject")
@click.argument("version")
@click.option("--reason", default="rejected by hand", show_default=True, help="Stored with the version.")
@options.name
@options.common
def reject(version: str, reason: str, name: str | None, as_json: bool) -> None:
    """Exclude a version from serving; if it is the champion, the previous champion replaces it."""
    registry, network = _registry(), name or "demo"
    model = registry.find(network, version)
    registry.reject(network, model.version, reason)
    champion = registry.champion(network)
    if as_json:
        print_json({"network": network, "rejected": model.version, "champion": champion and champion.version})
        return
    click.echo(f"{network}: {model.family} {model.version} is rejected")
    if champion and model.champion:
        click.echo(f"{network}: {champion.family} {champion.version} is in service")


@command.command("shadow")
@click.argument("version", metavar="VERSION|off")
@options.name
@options.common
def shadow(version: str, name: str | None, as_json: bool) -> None:
    """Let a version score live samples in shadow, without alerts; ``off`` stops it.

    A running server starts it without downtime. ``netops models show VERSION`` prints the results.
    """
    registry, network = _registry(), name or "demo"
    model = registry.end_shadow(network) if version == "off" else registry.put_in_shadow(network, version)
    if as_json:
        print_json({"network": network, "shadow": None if version == "off" else model.version})
    elif version == "off":
        click.echo(f"{network}: {f'{model.version} is no longer a shadow' if model else 'there was no shadow'}")
    else:
        click.echo(f"{network}: {model.family} {model.version} scores as the shadow of the champion")


@command.command("rollback")
@options.name
@options.common
def rollback(name: str | None, as_json: bool) -> None:
    """Put the previous champion back in service."""
    _print_model(_registry().rollback(name or "demo"), as_json)


def _print_model(model: "Model", as_json: bool) -> None:
    if as_json:
        print_json({"network": model.network, "version": model.version, "family": model.family})
    else:
        click.echo(f"{model.network}: {model.family} {model.version} is in service")
