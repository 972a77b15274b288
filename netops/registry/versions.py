"""The versions of a network with their states, and the champion among them."""

from dataclasses import replace

from netops.errors import NoChampionError, UsageError, closest
from netops.registry import records
from netops.registry.ledger import Ledger
from netops.registry.model import CHAMPION_TAG, SHADOW_TAG, Model, list_models, named, newest


def versions(network: str | None = None) -> list[Model]:
    """List the models of a network, or of all, the newest first; a version logged twice counts once."""
    models = newest(network)
    ledgers = {name: records.read(name) for name in {model.network for model in models}}
    shadows = {model.uri for model in list_models(network, SHADOW_TAG)}
    return [replace(_with_state(model, ledgers[model.network]), shadow=model.uri in shadows) for model in models]


def champion(network: str) -> Model | None:
    """Return the model in service, or None."""
    ledger = records.read(network)
    if ledger.champion is None:
        return None
    tagged = [model for model in list_models(network, CHAMPION_TAG) if model.version == ledger.champion]
    model = tagged[0] if tagged else named(network, ledger.champion)
    return _with_state(model, ledger) if model else None


def shadow(network: str) -> Model | None:
    """Return the shadow of the champion, or None."""
    tagged = list_models(network, SHADOW_TAG)
    return replace(tagged[0], shadow=True) if tagged else None


def the_champion(network: str) -> Model:
    """Return the model in service.

    Raises
    ------
    NoChampionError
        If the network has none.
    """
    model = champion(network)
    if model is None:
        raise NoChampionError(f"network '{network}' has no champion{_instead(network)}")
    return model


def _instead(network: str) -> str:
    known = sorted({model.network for model in newest(None)})
    if network in known:
        return "; put a version in service: netops models promote VERSION"
    return closest(network, known) if known else "; train one: netops run"


def find(network: str, version: str) -> Model:
    """Find a model by its version or the beginning of it.

    Raises
    ------
    UsageError
        If there is none, or more than one.
    """
    found = [model for model in versions(network) if model.version.startswith(version)]
    if len(found) != 1:
        many = "more than one" if found else "no"
        raise UsageError(f"{many} version of network '{network}' begins with '{version}'; see: netops models list")
    return found[0]


def history(network: str) -> list[dict[str, str]]:
    """List which versions have been put in service, the newest first: version, the one before, when and why."""
    return [
        {
            "version": change.version,
            "before": change.before,
            "at": change.record.at,
            "reason": change.record.reason,
        }
        for change in reversed(records.read(network).changes)
    ]


def in_use(network: str) -> set[str]:
    """Name the versions that are or were in service, or may be put there at once."""
    ledger = records.read(network)
    served = {version for change in ledger.changes for version in (change.version, change.before) if version}
    return served | set(ledger.path)


def _with_state(model: Model, ledger: Ledger) -> Model:
    last = ledger.last.get(model.version)
    return replace(model, state=ledger.state(model.version), state_reason=last.reason if last else "")
