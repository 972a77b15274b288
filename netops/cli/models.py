"""``netops models``: the versions of a network's model."""

from dataclasses import asdict
from typing import Any

import click

from netops.cli import model_card, options
from netops.cli.output import print_json, print_rows


@click.group("models")
def command() -> None:
    """List and show models, put one in service, go back to the one before."""


@command.command("list")
@options.name
@options.common
def list_(name: str | None, as_json: bool) -> None:
    """List models, the newest first."""
    registry = _registry()
    rows = [_row(model) for model in registry.versions(name)]
    shown = rows if as_json else [model_card.listed(row) for row in rows]
    print_rows(shown, list(model_card.LISTED.values()), as_json)


@command.command("show")
@click.argument("version", required=False)
@options.name
@options.common
def show(version: str | None, name: str | None, as_json: bool) -> None:
    """Show one model, by default the champion: its figures with intervals, and the promotions of its network."""
    registry = _registry()
    from netops.models.card import read_card
    from netops.tracking.folders import local_model

    network = name or "demo"
    model = registry.find(network, version) if version else registry.the_champion(network)
    card = read_card(local_model(model.uri))
    history = registry.history(network)
    if as_json:
        told = {**_row(model), "uri": model.uri, "path": model.path, "card": card.to_dict(), "history": history}
        print_json(told)
        return
    for key in ("network", "version", "family", "champion", "created", "path"):
        click.echo(f"{key:10} {getattr(model, key)}")
    for line in model_card.described(card):
        click.echo(line)
    if history:
        click.echo("\nPromotions, the newest first")
        print_rows(history, ["at", "version", "before"], as_json)


def _registry() -> Any:
    from netops.orchestration.project import load_project

    load_project()
    from netops.orchestration import registry

    return registry


def _row(model: Any) -> dict[str, Any]:
    told = {k: v for k, v in asdict(model).items() if k in ("network", "version", "family", "champion", "created")}
    return told | model.metrics | {"intervals": model.intervals}


@command.command("promote")
@click.argument("version")
@options.name
@options.common
def promote(version: str, name: str | None, as_json: bool) -> None:
    """Put a version in service; a running server takes it over without a gap."""
    registry = _registry()
    network = name or "demo"
    model = registry.find(network, version)
    registry.check(model)
    _tell(registry.promote(network, model.version, "promoted by hand"), as_json)


@command.command("rollback")
@options.name
@options.common
def rollback(name: str | None, as_json: bool) -> None:
    """Put the champion before the present one back in service."""
    _tell(_registry().rollback(name or "demo"), as_json)


def _tell(model: Any, as_json: bool) -> None:
    if as_json:
        print_json({"network": model.network, "version": model.version, "family": model.family})
    else:
        click.echo(f"{model.network}: {model.family} {model.version} is in service")
