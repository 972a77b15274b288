"""The proof that a model serves as it was tested: it passes, and it can fail."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netops.alerting.sequences import Sequences
from netops.config.durations import HOUR, SECOND
from netops.errors import NetopsError
from netops.features.kernel import LAST_TIME
from netops.features.spec import BASELINE, FeatureSpec
from netops.models.card import read_card
from netops.models.platt import Platt
from netops.registry import ProofError
from netops.serving.mlrun import proof
from netops.serving.mlrun.proof import compare, prove
from netops.training.proof import FILE, _span, read_proof
from tests.serving.models import SPEC, make_model
from tests.serving.proven import CALIBRATION, START, proven_model


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as training leaves it."""
    return proven_model(tmp_path_factory.mktemp("proof") / "model")


@pytest.fixture
def changed(tested: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(tested, tmp_path / "changed"))


def edit(folder: Path, **changes) -> None:
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | changes))


def test_a_sound_model_is_proven_in_a_process_of_its_own(tested: Path) -> None:
    found = prove(tested)
    assert found.rows == 200
    assert found.difference < 1e-6
    risks = np.concatenate([excerpt.risks for excerpt in read_proof(tested)])
    assert np.nanmin(risks) < 0.2 < 0.8 < np.nanmax(risks)


def test_a_model_of_baselines_is_proven_by_all_samples_of_a_device(tmp_path: Path) -> None:
    spec = FeatureSpec(SPEC.metrics, SPEC.windows, (*SPEC.statistics, *BASELINE))
    folder = proven_model(tmp_path / "model", spec=spec)
    found = compare(read_proof(folder), folder)
    assert found.rows == 200
    assert found.difference < 1e-6
    later = [replace(one, timestamps=one.timestamps[60:], values=one.values[60:]) for one in read_proof(folder)]
    later = [replace(one, risks=one.risks[60:], probabilities=one.probabilities[60:]) for one in later]
    with pytest.raises(ProofError, match="differs"):
        compare(later, folder)


def test_excerpts_of_a_model_of_baselines_begin_with_the_device() -> None:
    times = START + np.arange(300, dtype=np.int64) * 60 * SECOND
    sequences = Sequences(("a", "b"), np.array([0, 100, 300]), times)
    rows = np.array([250, 260])
    assert _span(sequences, 1, rows, HOUR) == (191, 261)
    assert _span(sequences, 1, rows, LAST_TIME) == (100, 261)


def test_a_corrupted_file_is_rejected_by_the_process(changed: Path) -> None:
    whole = (changed / "model.onnx").read_bytes()
    (changed / "model.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ProofError, match="cannot serve"):
        prove(changed)


def test_another_model_file_is_rejected(changed: Path, tmp_path: Path) -> None:
    other = make_model(tmp_path / "other", seed=1, calibration=CALIBRATION)
    shutil.copy(other / "model.onnx", changed / "model.onnx")
    with pytest.raises(ProofError, match="differs from the tested one: risk"):
        compare(read_proof(changed), changed)


def test_a_wrong_order_of_features_is_rejected(changed: Path) -> None:
    names = list(read_card(changed).features)
    edit(changed, features=[names[1], names[0], *names[2:]])
    with pytest.raises(ProofError, match="differs from the tested one: risk"):
        compare(read_proof(changed), changed)


def test_a_wrong_calibration_is_rejected_in_the_file_and_on_the_card(changed: Path, tmp_path: Path) -> None:
    excerpts = read_proof(changed)
    edit(changed, calibration=Platt(1.4, -0.5, 1000, 50).to_dict())
    with pytest.raises(ProofError, match="calibration on the card"):
        compare(excerpts, changed)
    edit(changed, calibration=CALIBRATION.to_dict())
    other = make_model(tmp_path / "other", calibration=Platt(1.4, -0.5, 1000, 50))
    shutil.copy(other / "model.onnx", changed / "model.onnx")
    with pytest.raises(ProofError, match="probability"):
        compare(excerpts, changed)


def test_nothing_to_compare_proves_nothing(changed: Path) -> None:
    (changed / FILE).unlink()
    with pytest.raises(ProofError, match="no sample could be compared"):
        compare(read_proof(changed), changed)


def test_a_killed_process_does_not_reject_the_model(tested: Path, monkeypatch) -> None:
    monkeypatch.setattr(proof, "TIMEOUT", 0.01)
    with pytest.raises(NetopsError, match="did not end") as raised:
        prove(tested)
    assert not isinstance(raised.value, ProofError)
