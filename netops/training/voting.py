"""The vote of the trained models as one more model: what training does, without a fit.

Its members are taken as they are, with the calibration that each has from validation. Validation and test risks are
those that training has left for the members, combined; the file is checked against them.
"""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from netops.models.card import ModelCard, library_versions, read_card, version_of
from netops.models.onnx_file import MODEL_FILE, Session, calibrated, save_model
from netops.models.platt import Platt, fit_platt
from netops.models.vote import VOTE, Member, build_vote, vote_risks
from netops.telemetry.dataset import Dataset
from netops.training.examples import Examples
from netops.training.fitting import check_agreement, risks_path, score_rows, write_held_out, write_risks
from netops.training.rows import spread
from netops.training.train import split_risks

#: Rows of the test split that the file scores, of some devices or times of it.
COMPARED_ROWS = 20_000

Floats = npt.NDArray[np.float64]


def voters(models: Mapping[str, Path]) -> dict[str, Path]:
    """Choose the models that can vote: those with a calibration, which makes their risks comparable."""
    return {name: folder for name, folder in models.items() if Platt.from_dict(read_card(folder).calibration)}


def build_vote_model(
    examples: Examples, models: Mapping[str, Path], out: Path, *, network: str
) -> ModelCard | None:
    """Write the vote of trained models as a model folder.

    Parameters
    ----------
    examples : Examples
        What the models were trained on.
    models : mapping
        Family → model folder.
    out : Path
        Model folder to write.
    network : str
        Name of the network.

    Returns
    -------
    ModelCard or None
        Without threshold and evaluation; None where fewer than two models can vote.

    Raises
    ------
    NetopsError
        If the file does not agree with the risks of its members.
    """
    started, chosen = time.monotonic(), voters(models)
    if len(chosen) < 2:
        return None
    cards = {name: read_card(folder) for name, folder in chosen.items()}
    members = {name: Member((chosen[name] / MODEL_FILE).read_bytes(), _platt(card)) for name, card in cards.items()}
    model = build_vote(members)
    risks = {part: _risks(examples, chosen, members, part) for part in ("validation", "test")}
    agreement = _agreement(model, examples, risks["test"])
    calibration = fit_platt(risks["validation"], examples.evaluation_split("validation").labels)
    if isinstance(calibration, Platt):
        model = calibrated(model, calibration)
    card = _card(examples, cards, network, model).updated(
        agreement=agreement, calibration=calibration.to_dict(), fit_seconds=time.monotonic() - started
    )
    for part, values in risks.items():
        write_risks(risks_path(examples.folder, card.version, part), values)
    save_model(out, model, card)
    if examples.folds:
        write_held_out(out, examples.info["data"]["fingerprint"], risks["validation"])
    return card


def _platt(card: ModelCard) -> Platt:
    calibration = Platt.from_dict(card.calibration)
    assert calibration is not None
    return calibration


def _risks(examples: Examples, models: Mapping[str, Path], members: Mapping[str, Member], part: str) -> Floats:
    """Combine the risks of the members over a part."""
    risks = {name: split_risks(examples, folder, part) for name, folder in models.items()}
    return vote_risks(risks, {name: member.calibration for name, member in members.items()})


def _agreement(model: bytes, examples: Examples, risks: Floats) -> float:
    """Compare the file with the combined risks on rows of the test split."""
    dataset, rows = Dataset.open(Path(examples.sources["test"])), np.array(examples.array("test"))
    scored = np.flatnonzero(rows >= 0)
    chosen = scored[spread(dataset, rows[scored], COMPARED_ROWS)]
    found = score_rows(Session(model).score, dataset, examples.names, rows[chosen])
    greatest = float(np.abs(found - risks[chosen]).max(initial=0.0))
    return check_agreement(VOTE, greatest, "the risks of its members on the test split")


def _card(examples: Examples, cards: Mapping[str, ModelCard], network: str, model: bytes) -> ModelCard:
    info, libraries = examples.info, sorted({name for card in cards.values() for name in card.libraries})
    return ModelCard(
        network=network,
        family=VOTE,
        version=version_of(model, network, examples.names, info["spec"], examples.horizon),
        features=examples.names,
        spec=info["spec"],
        metrics=tuple(info["metrics"]),
        horizon=examples.horizon,
        interval_seconds=info["interval_seconds"],
        params={"members": {name: card.version for name, card in cards.items()}},
        iterations=len(cards),
        split=info["split"],
        data=info["data"],
        background=info["background"],
        logs=info.get("logs", {}),
        events=info.get("events", {}),
        libraries=library_versions(tuple(libraries)),
    )
