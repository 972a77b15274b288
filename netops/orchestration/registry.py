"""Models of a network as versions in MLRun's registry, and which of them serves.

Every trained model is a version of one artifact a network, ``<network>-model``. The champion is the version with
the tag ``champion``; each promotion is an artifact of its own, so that the history tells where to roll back to.
"""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlrun

from netops.errors import NetopsError, UsageError, closest
from netops.home import home
from netops.orchestration.root import PROJECT
from netops.serving.registered import CHAMPION, SHADOW
from netops.tracking.install import names_service


@dataclass(frozen=True)
class Model:
    """One version of a network's model.

    Attributes
    ----------
    network, family, version : str
        Whose it is, how it was trained, and the fingerprint of its content.
    uri : str
        ``store://`` address.
    path : str
        The model folder.
    created : str
        When it was logged, ISO 8601.
    metrics : dict
        Figures on the test part.
    artifact : dict
        The artifact as MLRun holds it.
    champion, shadow : bool
        Whether it serves, or scores in the shadow of what serves.
    intervals : dict
        Name of a figure → ``low`` and ``high`` of its 95% interval.
    """

    network: str
    family: str
    version: str
    uri: str
    path: str
    created: str
    metrics: dict[str, Any]
    artifact: dict[str, Any] = field(repr=False)
    champion: bool = False
    shadow: bool = False
    intervals: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def uid(self) -> str:
        """The artifact's uid."""
        return str(self.artifact["metadata"]["uid"])

    @property
    def tree(self) -> str:
        """The run that made it."""
        return str(self.artifact["metadata"]["tree"])


def model_key(network: str) -> str:
    """Name the artifact that the models of a network are versions of."""
    return f"{network}-model"


def versions(network: str | None = None) -> list[Model]:
    """List the models of a network, or of all, the newest first; a version logged twice counts once."""
    tagged, behind = ({model.uri for model in _list(network, tag)} for tag in (CHAMPION, SHADOW))
    newest: dict[tuple[str, str], Model] = {}
    for model in sorted(_list(network, "*"), key=lambda m: m.created):
        newest[model.network, model.version] = replace(
            model, champion=model.uri in tagged, shadow=model.uri in behind
        )
    return sorted(newest.values(), key=lambda m: m.created, reverse=True)


def champion(network: str) -> Model | None:
    """Give the model in service, or None."""
    tagged = _list(network, CHAMPION)
    return replace(tagged[0], champion=True) if tagged else None


def shadow(network: str) -> Model | None:
    """Give the model that scores in the shadow of the champion, or None."""
    tagged = _list(network, SHADOW)
    return replace(tagged[0], shadow=True) if tagged else None


def the_champion(network: str) -> Model:
    """Give the model in service.

    Raises
    ------
    NetopsError
        If the network has none.
    """
    model = champion(network)
    if model is None:
        raise NetopsError(f"network '{network}' has no champion{_instead(network)}")
    return model


def _instead(network: str) -> str:
    known = sorted({model.network for model in versions()})
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


def log_model(
    context: Any, network: str, folder: Path, card: Any, metrics: dict[str, Any], extra: Any = None
) -> Any:
    """Log a model folder from within a stage; its files are copied to where models are kept.

    Parameters
    ----------
    context : mlrun.MLClientCtx
        The run that trained it.
    network : str
        Whose model it is.
    folder : Path
        ``model.onnx`` with its card and what else belongs to it.
    card : netops.models.card.ModelCard
        What the model is.
    metrics : dict
        Figures on the test part, and the ends of their intervals as ``<figure>.low`` and ``<figure>.high``.
    """
    # As bytes, they are kept beside the model; as paths, MLRun would only point to where they are now.
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "model.onnx"}
    return context.log_model(
        "model",
        db_key=model_key(network),
        model_dir=str(folder),
        model_file="model.onnx",
        artifact_path=f"{models_path(context)}/{network}/{card.version}",
        framework="onnx",
        algorithm=card.family,
        metrics={key: value for key, value in metrics.items() if isinstance(value, (int, float))},
        labels={"network": network, "family": card.family, "version": card.version},
        extra_data=files,
    )


def models_path(context: Any) -> str:
    """Name the place where models are kept: not with the run, which is pruned, but beside it."""
    target = str(context.artifact_path)
    return f"{target.rstrip('/')}/models" if "://" in target else str(home() / "models")


def promote(network: str, version: str, reason: str) -> Model:
    """Put a version in service.

    The tag moves in one transaction; a running server that looks sees the old champion or the new one.
    """
    model, before = find(network, version), champion(network)
    db = mlrun.get_run_db()
    db.tag_artifacts(model.artifact, PROJECT, CHAMPION, replace=False)
    if (behind := shadow(network)) and behind.version == model.version:
        end_shadow(network)
    record = {
        "network": network,
        "version": model.version,
        "before": before.version if before else None,
        "reason": reason,
        "at": datetime.now(UTC).isoformat(),
    }
    labels = {"network": network, "version": model.version, "before": before.version if before else ""}
    project = the_project()
    project.log_artifact(
        f"{network}-promotion",
        body=json.dumps(record),
        format="json",
        labels=labels,
        artifact_path=_promotions(project),
    )
    return model


def put_in_shadow(network: str, version: str) -> Model:
    """Let a version score what the champion scores, without alerting; a running server takes it up.

    Raises
    ------
    UsageError
        If it is the champion itself.
    NetopsError
        If the network has no champion, or the version cannot serve or takes other features.
    """
    model, serving = find(network, version), the_champion(network)
    if model.version == serving.version:
        raise UsageError(f"version {model.version} is the champion; name another one: netops models list")
    check(model)
    _require_same_features(serving, model)
    mlrun.get_run_db().tag_artifacts(model.artifact, PROJECT, SHADOW, replace=False)
    return replace(model, shadow=True)


def end_shadow(network: str) -> Model | None:
    """Let no version score in the shadow of the champion any more; give the one that did."""
    if (model := shadow(network)) is not None:
        mlrun.get_run_db().delete_artifacts_tags(model.artifact, PROJECT, SHADOW)
    return model


def _require_same_features(serving: Model, model: Model) -> None:
    from netops.models.card import read_card
    from netops.tracking.folders import local_model

    ours, theirs = (read_card(local_model(one.uri)) for one in (serving, model))
    if (ours.spec, ours.data.get("counters")) != (theirs.spec, theirs.data.get("counters")):
        raise NetopsError(
            f"version {model.version} takes other metrics, windows or statistics than the champion "
            f"{serving.version}, and cannot be its shadow"
        )


def rollback(network: str, reason: str = "rolled back by hand") -> Model:
    """Put the champion before the present one back in service.

    Raises
    ------
    NetopsError
        If no other model has been in service, or the one before cannot serve any more.
    """
    now = champion(network)
    for entry in history(network):
        if now and entry["version"] == now.version and entry["before"]:
            earlier = find(network, entry["before"])
            check(earlier)
            return promote(network, earlier.version, f"{reason}: {now.version}")
    raise NetopsError(f"network '{network}' has no earlier champion to go back to; see: netops models list")


def check(model: Model) -> None:
    """Make sure that a version can serve: its file loads, and scores a sample.

    Raises
    ------
    NetopsError
        If it is broken; it says how.
    """
    import numpy as np

    from netops.models.onnx_file import Scorer
    from netops.tracking.folders import local_model

    try:
        scorer = Scorer(local_model(model.uri))
        risk = scorer.score(np.zeros((1, len(scorer.card.features))))
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise NetopsError(f"version {model.version} cannot serve: {reason}") from error
    if not 0 <= risk[0] <= 1:
        raise NetopsError(f"version {model.version} cannot serve: its risk is {risk[0]}, not within 0 and 1")


def withdraw(network: str, reason: str) -> None:
    """Take the champion out of service: the one before it takes its place, or none where that cannot be."""
    now = champion(network)
    if now is None:
        return
    try:
        rollback(network, reason)
    except NetopsError:
        mlrun.get_run_db().delete_artifacts_tags(now.artifact, PROJECT, CHAMPION)


def history(network: str) -> list[dict[str, str]]:
    """List the promotions of a network, the newest first: version, the one before, and when."""
    artifacts = mlrun.get_run_db().list_artifacts(name=f"{network}-promotion", project=PROJECT, tag="*")
    entries = [
        {
            "version": artifact["metadata"]["labels"]["version"],
            "before": artifact["metadata"]["labels"].get("before", ""),
            "at": str(artifact["metadata"]["created"]),
        }
        for artifact in artifacts
    ]
    return sorted(entries, key=lambda entry: entry["at"], reverse=True)


def the_project() -> Any:
    """Give the project: as this process has loaded it, else, as in a stage's own pod, as the database has it."""
    return mlrun.get_current_project(silent=True) or mlrun.get_run_db().get_project(PROJECT)


def _promotions(project: Any) -> str:
    elsewhere = mlrun.mlconf.artifact_path if names_service() else None
    base = str(project.spec.artifact_path or elsewhere or home() / "artifacts")
    return f"{base}/promotions"


def _list(network: str | None, tag: str) -> list[Model]:
    artifacts = mlrun.get_run_db().list_artifacts(
        project=PROJECT, kind="model", tag=tag, labels=[f"network={network}"] if network else None
    )
    return [_model(artifact) for artifact in artifacts if "version" in artifact["metadata"].get("labels", {})]


def _model(artifact: dict[str, Any]) -> Model:
    labels, spec = artifact["metadata"]["labels"], artifact["spec"]
    logged = spec.get("metrics") or {}
    return Model(
        network=labels["network"],
        family=labels["family"],
        version=labels["version"],
        uri=mlrun.artifacts.dict_to_artifact(artifact).get_store_url(with_tag=False),
        path=str(spec["target_path"]).rstrip("/"),
        created=str(artifact["metadata"].get("created", "")),
        metrics={name: value for name, value in logged.items() if "." not in name},
        artifact=artifact,
        intervals=_intervals(logged),
    )


def _intervals(logged: dict[str, float]) -> dict[str, dict[str, float]]:
    """Take the intervals out of what was logged as ``<figure>.low`` and ``<figure>.high``."""
    intervals: dict[str, dict[str, float]] = {}
    for name in sorted(logged):
        figure, dot, end = name.rpartition(".")
        if dot:
            intervals.setdefault(figure, {})[end] = logged[name]
    return intervals
