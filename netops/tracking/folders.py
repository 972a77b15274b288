"""Datasets as MLRun artifacts: a folder of Parquet parts, logged in place or uploaded file by file."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from netops.errors import NetopsError
from netops.scratch import scratch_folder
from netops.tracking.mlrun_types import DataItem, StageContext

if TYPE_CHECKING:
    from mlrun.artifacts import DatasetArtifact

    from netops.telemetry.dataset import Dataset

_PREVIEW_ROWS = 20
_MODEL_FILE = "model.onnx"
#: Lists the files of an uploaded folder.
FILES = "_files.json"


def output_path_of(context: StageContext) -> str:
    """Return the output path of a run.

    The steps of a workflow share the path of the workflow; a stage that is run alone gets a separate path,
    so that it does not read outputs of another run with other settings.
    """
    target = str(context.artifact_path)
    has_own_path = (context.labels or {}).get("workflow") or context.uid in target
    return target if has_own_path else f"{target.rstrip('/')}/{context.uid}"


def new_folder(context: StageContext, key: str) -> Path:
    """Name the folder that a stage writes an artifact to.

    On this machine it is the final path of the artifact, so that nothing is copied; elsewhere a temporary one.
    """
    target = output_path_of(context)
    return scratch_folder() / key if "://" in target else Path(target) / key


def log_dataset(context: StageContext, key: str, dataset: "Dataset") -> None:
    """Log a dataset folder as an MLRun dataset: its schema, the first rows, and its summary as labels."""
    from mlrun.artifacts import DatasetArtifact

    target = _publish(context, key, dataset.path)
    artifact = DatasetArtifact(key, format="parquet", target_path=target)
    _describe(artifact, dataset)
    labels = {name: str(getattr(dataset.meta, name)) for name in ("samples", "devices", "incidents")}
    context.log_artifact(artifact, target_path=target, upload=False, labels=labels)


def _describe(artifact: "DatasetArtifact", dataset: "Dataset") -> None:
    import pyarrow.parquet as pq

    with pq.ParquetFile(dataset.parts[0]) as part:
        rows = next(part.iter_batches(_PREVIEW_ROWS)).to_pandas()
    artifact.update_preview_fields_from_df(artifact, rows, stats=False)
    artifact.spec.length = dataset.meta.samples


def _publish(context: StageContext, key: str, folder: Path) -> str:
    import mlrun

    target = output_path_of(context)
    if "://" not in target:
        return str(folder)
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    for name in names:
        mlrun.get_dataitem(f"{target}/{key}/{name}").upload(str(folder / name))
    # Written last. Stores differ in how they list a folder, and whether they list those within it.
    mlrun.get_dataitem(f"{target}/{key}/{FILES}").put(json.dumps(names))
    return f"{target}/{key}"


def local_folder(item: DataItem) -> Path:
    """Download the folder of an input; a local folder is used directly."""
    import mlrun

    if item.kind == "file":
        return Path(item.local())
    folder = scratch_folder()
    for name in _files_of(item):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        mlrun.get_dataitem(f"{item.url.rstrip('/')}/{name}").download(str(folder / name))
    return folder


def _files_of(item: DataItem) -> list[str]:
    """List the files of an uploaded folder."""
    import mlrun

    try:
        names: list[str] = json.loads(mlrun.get_dataitem(f"{item.url.rstrip('/')}/{FILES}").get())
    except Exception as error:  # each store raises different errors
        raise NetopsError(f"{item.url}: the folder does not exist or is incomplete: {error}") from error
    return names


def local_model(item: DataItem | str) -> Path:
    """Download the folder of a model.

    Parameters
    ----------
    item : mlrun.DataItem or str
        An input of a run, or the ``store://`` address of a model.

    Raises
    ------
    NetopsError
        If its files do not exist.
    """
    address = item if isinstance(item, str) else item.artifact_url
    try:
        return _model_folder(address)
    except FileNotFoundError as error:
        raise NetopsError(f"the files of model {address} do not exist: {error.filename or error}") from error


def _model_folder(address: str) -> Path:
    import mlrun

    file, _, others = mlrun.artifacts.get_model(address)
    folder = Path(file).parent
    if Path(file).name == _MODEL_FILE and all((folder / name).is_file() for name in others):
        return folder
    folder = scratch_folder()
    shutil.copy(file, folder / _MODEL_FILE)
    for name, content in others.items():
        content.download(str(folder / name))
    return folder


def work_folder(context: StageContext) -> Path:
    """Name the folder for what a stage keeps between its steps, and other stages here may use again."""
    target = output_path_of(context)
    return scratch_folder() if "://" in target else Path(target) / "work"
