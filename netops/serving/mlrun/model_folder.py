"""A model folder that is served: on this machine, or a model artifact in MLRun's store."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from netops.errors import NetopsError
from netops.models.card import CARD_FILE
from netops.models.onnx_file import MODEL_FILE
from netops.scratch import scratch_folder

if TYPE_CHECKING:
    from mlrun import DataItem


def local_folder(model_path: str) -> Path:
    """Return the local folder of a model; download it if needed.

    Parameters
    ----------
    model_path : str
        A model folder, or the ``store://`` address of a model artifact.

    Returns
    -------
    Path
        The model folder, or a local copy of it.

    Raises
    ------
    NetopsError
        If the artifact has no model card.
    """
    if "://" not in model_path and (Path(model_path) / MODEL_FILE).is_file():
        return Path(model_path)
    import mlrun.artifacts

    model_file, _, extra = mlrun.artifacts.get_model(model_path, ".onnx")
    if (Path(model_file).parent / CARD_FILE).is_file() and Path(model_file).name == MODEL_FILE:
        return Path(model_file).parent
    return _gather(Path(model_file), extra)


def _gather(model_file: Path, extra: "Mapping[str, DataItem]") -> Path:
    """Download a model file and its extra artifacts into a local folder."""
    if CARD_FILE not in extra:
        raise NetopsError(f"{model_file}: no {CARD_FILE} next to the model; log the whole folder")
    folder = scratch_folder()
    shutil.copy(model_file, folder / MODEL_FILE)
    for name, content in extra.items():
        content.download(str(folder / name))
    return folder
