"""The card of the model in service, by which a stage counts what that model takes."""

from netops import registry
from netops.errors import NetopsError
from netops.models.card import ModelCard, read_card
from netops.tracking.folders import local_model


def champion_card(network: str) -> ModelCard | None:
    """Read the card of the champion of a network; None if there is none.

    Missing files of a champion must not prevent its replacement: selection reports them.
    """
    champion = registry.champion(network)
    if champion is None:
        return None
    try:
        return read_card(local_model(champion.uri))
    except NetopsError:
        return None
