"""What changes the state of a version: proof, promotion, rollback, rejection; and runs that are canceled."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from netops.config.paths import PROJECT
from netops.errors import NetopsError, UsageError
from netops.models.card import read_card
from netops.models.onnx_file import Scorer
from netops.registry import records
from netops.registry.ledger import (
    CANCEL,
    CHAMPION,
    PROMOTE,
    PROVE,
    PROVEN,
    REJECT,
    REJECTED,
    RESUME,
    RETIRED,
    ROLL_BACK,
    Ledger,
)
from netops.registry.model import SHADOW_TAG, Model, database
from netops.registry.versions import find, shadow, the_champion
from netops.tracking.folders import local_model


class ProofError(NetopsError):
    """A model does not reproduce its tested risks and must never serve."""


#: What a proof gives.
Proof = TypeVar("Proof")


@dataclass(frozen=True)
class Outcome(Generic[Proof]):
    """Result of putting a version in service.

    Attributes
    ----------
    promoted : bool
        Whether it is the champion now.
    reason : str
    champion : str or None
        Version of the champion now.
    proof : optional
        Result of the proof; None if it was proven before.
    """

    promoted: bool
    reason: str
    champion: str | None
    proof: Proof | None = None


def put_in_service(
    network: str,
    version: str,
    proof: Callable[[], Proof],
    reason: str,
    *,
    instead_of: str | None = None,
    run: str = "",
    again: bool = False,
) -> Outcome[Proof]:
    """Prove a version, then let it be the champion. Called again, it continues where it was stopped.

    Parameters
    ----------
    network, version : str
    proof : callable
        Raises :class:`ProofError` if the version does not answer as it was tested. Any other error reveals nothing
        about the model: its state is unchanged, and a retry proves it again.
    reason : str
        Reason for the promotion.
    instead_of : str or None
        The champion that it was compared with; if another one serves now, nothing changes.
    run : str
        The requesting pipeline run; a canceled one puts nothing in service.
    again : bool
        Prove also what has been proven: where the proof itself starts the model.

    Raises
    ------
    ProofError
        If it fails; the version is rejected, the champion stays.
    NetopsError
        If the version is rejected already, or the run is canceled.
    """
    ledger = records.synchronize(network)
    if ledger.promoted_by(run, version) or ledger.champion == version:
        return _done_before(ledger, version)
    if ledger.state(version) == REJECTED:
        why = ledger.last[version].reason
        raise NetopsError(f"version {version} is rejected: {why}; {_champion_stays(ledger)}")
    found = None
    if again or ledger.state(version) != PROVEN:
        found = _proven(network, version, proof, run, ledger)
    if (ledger.champion or None) != (instead_of or None):
        ledger = records.read(network)
    if (ledger.champion or None) != (instead_of or None):
        why = f"it was compared with {instead_of or 'none'}, and {ledger.champion} is the champion now"
        return Outcome(False, why, ledger.champion, found)
    ledger = promote(network, version, reason, run=run, before=instead_of or "")
    return Outcome(True, reason, ledger.champion, found)


def _done_before(ledger: Ledger, version: str) -> Outcome[Proof]:
    if ledger.champion == version:
        return Outcome(True, f"it is the champion: {ledger.last[version].reason}", version)
    since = f"{ledger.state(version)} since: {ledger.last[version].reason}"
    return Outcome(False, f"this run has promoted it before, and it is {since}", ledger.champion)


def _proven(network: str, version: str, proof: Callable[[], Proof], run: str, ledger: Ledger) -> Proof:
    try:
        found = proof()
    except ProofError as error:
        reject(network, version, str(error), run=run)
        raise ProofError(f"{error}; version {version} is rejected, {_champion_stays(ledger)}") from error
    how = "it answers as it was tested" if found else "it loads and scores; it has no samples for further proof"
    prove(network, version, how, run=run)
    return found


def _champion_stays(ledger: Ledger) -> str:
    return f"{ledger.champion} stays in service" if ledger.champion else "the network has no champion"


def prove(network: str, version: str, reason: str = "it answers as it was tested", *, run: str = "") -> Ledger:
    """Record that a version answers as it was tested."""
    return records.write(network, PROVE, version, reason=reason, run=run)


def promote(network: str, version: str, reason: str, *, run: str = "", before: str = "") -> Ledger:
    """Let a proven version be the champion.

    Parameters
    ----------
    before : str
        The champion that it replaces.

    Raises
    ------
    NetopsError
        If it is not proven, another version is the champion now, or the run is canceled.
    """
    with records.transaction():
        _require_alive(run)
        return records.write(network, PROMOTE, version, reason=reason, run=run, before=before)


def _require_alive(run: str) -> None:
    """Raise if the run was stopped."""
    found = database().list_runs(uid=run, project=PROJECT) if run else []
    if any(record["status"].get("state") in ("aborted", "aborting") for record in found):
        raise NetopsError(f"run {run[:12]} is canceled: it puts no model in service")


def promote_by_hand(network: str, version: str, proof: Callable[[Model], object]) -> Model:
    """Put a version in service on demand; one that has not been proven, or was rejected, is proven first.

    Raises
    ------
    UsageError
        If there is no such version.
    NetopsError
        If it cannot serve.
    """
    model = find(network, version)
    check(model)
    if model.champion:
        return model
    ledger = records.read(network)
    if model.state not in (PROVEN, RETIRED):
        _proven(network, model.version, lambda: proof(model), "", ledger)
    promote(network, model.version, "promoted by hand", before=ledger.champion or "")
    return replace(model, state=CHAMPION)


def reject(network: str, version: str, reason: str, *, run: str = "") -> Ledger:
    """Retire a version permanently; a champion is replaced by the one before it.

    Raises
    ------
    NetopsError
        If it is the champion and no other has been in service.
    """
    return records.write(network, REJECT, version, reason=reason, run=run)


def rollback(network: str, reason: str = "rolled back by hand") -> Model:
    """Put the champion before the present one back in service.

    Raises
    ------
    NetopsError
        If no other model has been in service, or the one before cannot serve any more.
    """
    ledger = records.read(network)
    earlier = ledger.earlier()
    if earlier is None:
        raise NetopsError(f"network '{network}' has no earlier champion to go back to; see: netops models list")
    model = find(network, earlier)
    check(model)
    why = f"{reason}: {ledger.champion}"
    records.write(network, ROLL_BACK, earlier, reason=why, before=ledger.champion or "")
    return replace(model, state=CHAMPION)


def cancel_run(network: str, run: str) -> None:
    """Prevent a pipeline run from putting models in service."""
    records.write(network, CANCEL, run=run, reason="canceled on demand")


def resume_run(network: str, run: str) -> None:
    """Let a canceled run that is resumed put a model in service again."""
    if run in records.read(network).canceled:
        records.write(network, RESUME, run=run, reason="resumed")


def check(model: Model) -> None:
    """Make sure that a version can serve: its file loads, and scores a sample.

    Raises
    ------
    NetopsError
        If it is corrupt; the message gives the reason.
    """
    try:
        scorer = Scorer(local_model(model.uri))
        risk = scorer.score(np.zeros((1, len(scorer.card.features))))
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise NetopsError(f"version {model.version} cannot serve: {reason}") from error
    if not 0 <= risk[0] <= 1:
        raise NetopsError(f"version {model.version} cannot serve: its risk is {risk[0]}, not within 0 and 1")


def put_in_shadow(network: str, version: str) -> Model:
    """Let a version score what the champion scores, without alerting; a running server notices it.

    Raises
    ------
    UsageError
        If it is the champion itself.
    NetopsError
        If the network has no champion, or the version is rejected, cannot serve or requires other features.
    """
    model, serving = find(network, version), the_champion(network)
    if model.version == serving.version:
        raise UsageError(f"version {model.version} is the champion; name another one: netops models list")
    if model.state == REJECTED:
        raise NetopsError(f"version {model.version} is rejected: {model.state_reason}")
    check(model)
    _require_same_features(serving, model)
    database().tag_artifacts(model.artifact, PROJECT, SHADOW_TAG, replace=False)
    return replace(model, shadow=True)


def end_shadow(network: str) -> Model | None:
    """Let no version score in the shadow of the champion any more; give the one that did."""
    if (model := shadow(network)) is not None:
        database().delete_artifacts_tags(model.artifact, PROJECT, SHADOW_TAG)
    return model


def _require_same_features(serving: Model, model: Model) -> None:

    ours, theirs = (read_card(local_model(one.uri)) for one in (serving, model))
    if (ours.spec, ours.data.get("counters")) != (theirs.spec, theirs.data.get("counters")):
        raise NetopsError(
            f"version {model.version} requires other metrics, windows or statistics than the champion "
            f"{serving.version}, and cannot be its shadow"
        )
