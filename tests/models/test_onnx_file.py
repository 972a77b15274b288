"""Model folders."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from netops.errors import NetopsError
from netops.models.card import ModelCard
from netops.models.onnx_file import CHUNK, MODEL_FILE, Scorer, build_model, save_model
from netops.models.onnx_graph import Graph
from netops.models.scaling import Scaling

CARD = ModelCard("demo", "sum", "abc", ("a", "b"), {}, ("a",), 1)


class Sum:
    """The sum of two scaled features as log-odds."""

    iterations = 1

    def predict(self, scaled: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-scaled.sum(axis=1, dtype=np.float64)))

    def build(self, graph: Graph, scaled: str) -> str:
        return graph.add("MatMul", scaled, graph.constant("ones", np.ones((2, 1), np.float32)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    scaling = Scaling(np.array([1e9, 0.0]), np.ones(2), 1e9, fill=True)
    save_model(tmp_path / "model", build_model(scaling, Sum()), CARD)
    return tmp_path / "model"


def test_takes_raw_features_and_scores_any_number_of_rows(folder: Path) -> None:
    scorer = Scorer(folder)
    rows = np.random.default_rng(0).normal([1e9, 0], size=(CHUNK + 7, 2))
    rows[3, 1] = np.nan
    risks = scorer.score(rows)
    expected = Sum().predict(np.nan_to_num(rows - [1e9, 0]))
    np.testing.assert_allclose(risks, expected, atol=1e-6)
    assert risks.dtype == np.float64
    assert scorer.score(rows[:0]).shape == (0,)
    assert scorer.score(rows[:1]) == pytest.approx(risks[:1])
    np.testing.assert_array_equal(scorer.score(np.asfortranarray(rows)), risks)


def test_folder_holds_no_pickle(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "model.onnx"]
    assert not any(path.read_bytes().startswith((b"\x80\x04", b"\x80\x05")) for path in folder.iterdir())


def test_saving_again_replaces(folder: Path) -> None:
    save_model(folder, (folder / MODEL_FILE).read_bytes(), CARD.updated(version="new"))
    assert Scorer(folder).card.version == "new"
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_refuses_what_is_no_model(folder: Path) -> None:
    (folder / MODEL_FILE).write_bytes(b"no model")
    with pytest.raises(NetopsError, match="cannot be read as a model") as error:
        Scorer(folder)
    assert "\n" not in str(error.value)
    (folder / MODEL_FILE).unlink()
    with pytest.raises(NetopsError, match=r"model\.onnx is missing"):
        Scorer(folder)
    shutil.rmtree(folder)
    with pytest.raises(NetopsError, match="not a model folder"):
        Scorer(folder)


def test_refuses_a_card_of_another_model(folder: Path) -> None:
    save_model(folder, (folder / MODEL_FILE).read_bytes(), CARD.updated(features=("a",)))
    with pytest.raises(NetopsError, match="takes 2 features, its card names 1"):
        Scorer(folder)


def test_scoring_changes_no_state_and_sends_no_alerts(folder: Path, tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from netops.models.onnx_file import Scorer; "
        "Scorer(Path(sys.argv[1])); print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    home = tmp_path / "home"
    home.mkdir()
    # What the library takes for a build server keeps it silent: here it must be silent by itself.
    stored = {
        name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "NUMBA_CACHE_DIR")
    }
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, env=stored | {"HOME": str(home)}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
    assert [path for path in home.rglob("*") if "onnxruntime" in path.name] == []
