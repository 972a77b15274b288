"""The records of a network in the run database, and the tags that follow them.

Each record is a separate artifact that never changes: one write, on the embedded database and on a service
alike. The tag ``champion``, by which servers and MLRun find the model in service, is derived from the records. On
the embedded database both change in one transaction; on a service the record comes first, and the next writer or
started process moves the tag of a writer that died in between.
"""

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, fields
from datetime import UTC, datetime
from uuid import uuid4

from netops.config.paths import PROJECT
from netops.errors import NetopsError
from netops.registry.ledger import IMPORT, REJECT, REJECTED, Ledger, Record
from netops.registry.model import CHAMPION_TAG, SHADOW_TAG, database, list_models, named
from netops.tracking.records import ArtifactRecord


def read(network: str) -> Ledger:
    """Return the state of a network's models."""
    return Ledger.of(_stored(network) or _imported(network))


def write(
    network: str, kind: str, version: str = "", *, reason: str = "", run: str = "", before: str = ""
) -> Ledger:
    """Record a transition and move the tags, in one transaction if the database supports it.

    Parameters
    ----------
    network : str
    kind, version
        As of :class:`~netops.registry.ledger.Record`.
    reason, run, before
        Further attributes of the record.

    Raises
    ------
    NetopsError
        If the transition is not possible; nothing is changed.
    """
    with transaction():
        stored = _stored(network)
        imported = [] if stored else _imported(network)
        ledger = Ledger.of([*stored, *imported])
        now = datetime.now(UTC).isoformat()
        record = Record(ledger.number + 1, uuid4().hex, kind, version, reason, now, before, run)
        _require(ledger.refusal(record), record)
        if kind == REJECT and version == ledger.champion:
            _tag(network, str(ledger.earlier()))  # first: no tag may ever lead to a rejected version
        for new in (*imported, record):
            _store(network, new)
        ledger = read(network)  # another writer may have been faster
        synchronize(network, ledger)
        if record.key not in ledger.applied:
            _require("another change was recorded first", record)
    return ledger


def synchronize(network: str, ledger: Ledger | None = None) -> Ledger:
    """Synchronize the tags with the records: on a service, a writer may have died between the two."""
    ledger = ledger or read(network)
    tagged, shadows = (list_models(network, tag) for tag in (CHAMPION_TAG, SHADOW_TAG))
    if ledger.champion and {model.version for model in tagged} != {ledger.champion}:
        _tag(network, ledger.champion)
    for shadow in shadows:
        if shadow.version == ledger.champion or ledger.state(shadow.version) == REJECTED:
            database().delete_artifacts_tags(shadow.artifact, PROJECT, SHADOW_TAG)
    return ledger


def _tag(network: str, version: str) -> None:
    """Move the champion's tag. The database takes it off the other versions."""
    model = named(network, version)
    if model is not None:
        database().tag_artifacts(model.artifact, PROJECT, CHAMPION_TAG, replace=False)


def _require(refusal: str, record: Record) -> None:
    if refusal:
        what = f"version {record.version}" if record.version else f"run {record.run[:12]}"
        raise NetopsError(f"{what}: no {record.kind}: {refusal}; see: netops models list")


def transaction() -> AbstractContextManager[None]:
    """Run a block as one transaction, if the database supports it."""
    found: AbstractContextManager[None] = getattr(database(), "transaction", nullcontext)()
    return found


def _key(network: str) -> str:
    return f"{network}-registry"


def _store(network: str, record: Record) -> None:
    labels = {"network": network, "kind": record.kind} | ({"version": record.version} if record.version else {})
    document = {
        "kind": "artifact",
        "metadata": {"key": _key(network), "project": PROJECT, "tree": record.key, "labels": labels},
        "spec": {"db_key": _key(network), "inline": json.dumps(asdict(record)), "format": "json"},
        "status": {"state": "created"},
    }
    database().store_artifact(_key(network), document, project=PROJECT, tree=record.key)


def _stored(network: str) -> list[Record]:
    artifacts = database().list_artifacts(name=_key(network), project=PROJECT, tag="*")
    found = (_parsed(artifact) for artifact in artifacts)
    return list({record.key: record for record in found}.values())  # one entry for each tag


def _parsed(artifact: ArtifactRecord) -> Record:
    raw = json.loads(artifact["spec"]["inline"])
    known = {field.name: raw[field.name] for field in fields(Record) if field.name in raw}
    return Record(**known | {"path": tuple(raw.get("path", ()))})


def _imported(network: str) -> list[Record]:
    """Read what versions up to 2026 have left: a tag, and an artifact for each promotion."""
    artifacts = database().list_artifacts(name=f"{network}-promotion", project=PROJECT, tag="*")
    promotions = sorted(
        {(str(a["metadata"].get("created")), a["metadata"]["labels"]["version"]) for a in artifacts}
    )
    tagged = [model.version for model in list_models(network, CHAMPION_TAG)]
    if not promotions and not tagged:
        return []
    path: list[str] = []
    for _, version in promotions:
        path = [*(other for other in path if other != version), version]
    withdrawn = path.pop() if path and path[-1] not in tagged else ""
    path = [*(version for version in path if version not in tagged), *tagged[:1]] if tagged else []
    at = promotions[-1][0] if promotions else ""
    reason = "in service before, as the tags of an older version say"
    return [Record(0, f"import-{network}", IMPORT, withdrawn, reason, at, path=tuple(path))]
