"""The kinds of receivers. This module imports none of them, because the settings are read without."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import urlsplit

from netops.errors import UsageError

if TYPE_CHECKING:
    from netops.serving.alerts.receivers.protocol import Receiver

WEB = ("http", "https")


class Kind(NamedTuple):
    """One kind of receiver.

    Attributes
    ----------
    factory : str
        ``module:name`` of what makes a receiver of an address.
    schemes : tuple of str
        Schemes of the addresses; empty: the receiver checks them.
    help : str
        What happens to an alert.
    """

    factory: str
    schemes: tuple[str, ...]
    help: str


RECEIVERS = {
    "webhook": Kind("netops.serving.alerts.receivers.webhook:Webhook", WEB, "JSON is posted to the address"),
    "alertmanager": Kind(
        "netops.serving.alerts.receivers.alertmanager:Alertmanager", WEB, "<address>/api/v2/alerts"
    ),
    "kafka": Kind("netops.serving.alerts.receivers.kafka:KafkaTopic", ("kafka",), "a topic"),
    "stream": Kind("netops.serving.alerts.receivers.stream:AlertStream", (), "v3io"),
}


def check_address(kind: str, url: str) -> None:
    """Check an address before anything is sent to it.

    Raises
    ------
    UsageError
        If no receiver of this kind can have the address.
    """
    parts, schemes = urlsplit(url), RECEIVERS[kind].schemes
    if schemes and (parts.scheme not in schemes or not parts.hostname):
        raise UsageError(
            f"receivers: {kind}: '{url}' is not a valid address: expected {schemes[0]}://host:port/path"
        )


def make_receiver(kind: str, url: str) -> "Receiver":
    """Create a receiver of a kind and an address."""
    module, _, name = RECEIVERS[kind].factory.partition(":")
    return cast("Callable[[str], Receiver]", getattr(import_module(module), name))(url)
