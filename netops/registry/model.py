"""A version of a network's model in MLRun's registry.

Every trained model is a version of one artifact per network, ``<network>-model``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from netops.config.paths import PROJECT, home
from netops.models.card import ModelCard
from netops.registry.ledger import CANDIDATE, CHAMPION
from netops.tracking.install import names_service
from netops.tracking.mlrun_types import ModelArtifact, RunDatabase, StageContext
from netops.tracking.records import ArtifactRecord

#: Tags of MLRun's registry: what serves, and what scores in the shadow of it.
CHAMPION_TAG, SHADOW_TAG = "champion", "shadow"


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
        Figures on the test split.
    artifact : dict
        MLRun's artifact.
    state : str
        ``candidate``, ``proven``, ``champion``, ``retired`` or ``rejected``.
    state_reason : str
        Why it has that state.
    shadow : bool
        Whether it scores in the shadow of the champion.
    intervals : dict
        Name of a figure → ``low`` and ``high`` of its 95% interval.
    """

    network: str
    family: str
    version: str
    uri: str
    path: str
    created: str
    metrics: dict[str, float]
    artifact: ArtifactRecord = field(repr=False)
    state: str = CANDIDATE
    state_reason: str = ""
    shadow: bool = False
    intervals: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def champion(self) -> bool:
        """Whether it serves."""
        return self.state == CHAMPION

    @property
    def uid(self) -> str:
        """The artifact's uid."""
        return str(self.artifact["metadata"]["uid"])

    @property
    def tree(self) -> str:
        """The run that made it."""
        return str(self.artifact["metadata"]["tree"])


def database() -> RunDatabase:
    """Return the run database in use, the embedded one or a service's client."""
    import mlrun

    database: RunDatabase = mlrun.get_run_db()
    return database


def model_key(network: str) -> str:
    """Name the artifact that the models of a network are versions of."""
    return f"{network}-model"


def list_models(network: str | None, tag: str) -> list[Model]:
    """List logged models with a tag, or with any (``*``)."""
    artifacts = database().list_artifacts(
        project=PROJECT, kind="model", tag=tag, labels=[f"network={network}"] if network else None
    )
    return [_model(artifact) for artifact in artifacts if "version" in artifact["metadata"].get("labels", {})]


def newest(network: str | None) -> list[Model]:
    """List the models of a network, or of all, the newest first; a version logged twice counts once."""
    found: dict[tuple[str, str], Model] = {}
    for model in sorted(list_models(network, "*"), key=lambda model: model.created):
        found[model.network, model.version] = model
    return sorted(found.values(), key=lambda model: model.created, reverse=True)


def named(network: str, version: str) -> Model | None:
    """Find a model by its whole version."""
    return next((model for model in newest(network) if model.version == version), None)


def log_model(
    context: StageContext, network: str, folder: Path, card: ModelCard, metrics: Mapping[str, object]
) -> ModelArtifact:
    """Log a model folder from within a stage: a candidate. Its files are copied to the storage of models.

    Parameters
    ----------
    context : mlrun.MLClientCtx
        The run that trained it.
    network : str
        Whose model it is.
    folder : Path
        ``model.onnx`` with its card and other files.
    card : ModelCard
        What the model is.
    metrics : dict
        Figures on the test split, and the ends of their intervals as ``<figure>.low`` and ``<figure>.high``.
    """
    # As bytes, they are stored next to the model; as paths, MLRun would only refer to their current location.
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


def models_path(context: StageContext) -> str:
    """Name the folder of the models.

    In an object store, and in a volume that the pods of a service share, it is in the folder of the run; under the
    home folder of this machine, where runs are pruned, it is not.
    """
    target = str(context.artifact_path).rstrip("/")
    if "://" in target or (names_service() and not Path(target).resolve().is_relative_to(home().resolve())):
        return f"{target}/models"
    return str(home() / "models")


def _model(artifact: ArtifactRecord) -> Model:
    import mlrun

    labels, spec = artifact["metadata"]["labels"], artifact["spec"]
    logged = spec.get("metrics") or {}
    return Model(
        network=labels["network"],
        family=labels.get("family", ""),
        version=labels["version"],
        uri=mlrun.artifacts.dict_to_artifact(artifact).get_store_url(with_tag=False),
        path=str(spec["target_path"]).rstrip("/"),
        created=str(artifact["metadata"].get("created", "")),
        metrics={name: value for name, value in logged.items() if "." not in name},
        artifact=artifact,
        intervals=_intervals(logged),
    )


def _intervals(logged: dict[str, float]) -> dict[str, dict[str, float]]:
    """Extract the intervals that were logged as ``<figure>.low`` and ``<figure>.high``."""
    intervals: dict[str, dict[str, float]] = {}
    for name in sorted(logged):
        figure, dot, end = name.rpartition(".")
        if dot:
            intervals.setdefault(figure, {})[end] = logged[name]
    return intervals
