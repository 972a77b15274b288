"""Stage: verify that the selected model reproduces its tested risks, then put it in service."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from mlrun import DataItem, MLClientCtx

from netops import registry
from netops.cluster.deployment_target import nuclio_for
from netops.models.card import read_card
from netops.models.onnx_file import Scorer
from netops.serving.mlrun.deployment import Platform, roll_out
from netops.serving.mlrun.proof import prove
from netops.serving.requests.endpoints.model import INFER
from netops.telemetry.dataset import Dataset
from netops.tracking.folders import local_folder, local_model
from netops.training.proof import FILE, proof_of, write_excerpts
from netops.training.rows import gather
from netops.workflows.settings import Settings
from netops.workflows.stages.stage import stage

#: Feature vectors, spread evenly over the telemetry, that a function on Nuclio is sent.
ROWS = 256
#: Value of ``compared_with`` where there was no champion; text, because Kubeflow passes nothing else.
NOTHING = "none"


#: Rows that were compared, by how much they differ at most, and the address.
Proof: TypeAlias = tuple[int, float, str]


@stage
def deploy(
    context: MLClientCtx,
    model: DataItem,
    features: DataItem,
    network: str,
    settings: str = "{}",
    compared_with: str = "",
    reason: str = "deployed by hand",
) -> None:
    """Prove a model, and let it be the champion only then.

    With Nuclio it becomes the real-time function, which is queried; elsewhere a separate process serves it for the
    time of the proof. A model that does not reproduce its tested risks is rejected, and the champion stays. Run
    again, the stage continues where it was stopped.

    Parameters
    ----------
    model : mlrun.DataItem
        The model.
    features : mlrun.DataItem
        Feature vectors to send.
    network : str
        Whose model it is.
    compared_with : str
        Version of the champion that it was compared with, or ``none``; by default the current champion.
    reason : str
        Reason for the promotion.

    Logs how many rows were compared, by how much they differ at most, the address, and who is the champion now.
    """
    chosen = Settings.from_json(settings)
    now = registry.champion(network)
    folder, nuclio = local_model(model), nuclio_for(network, chosen, replaces=now is not None)
    before = now.version if now else NOTHING
    if nuclio is None:
        proof: Callable[[], Proof] | _Nuclio = lambda: _proven_here(folder, features)  # noqa: E731
    else:
        proof = _Nuclio(nuclio, str(model.artifact_url), now.uri if now else None, folder, features)
    try:
        outcome = registry.put_in_service(
            network,
            read_card(folder).version,
            proof,
            reason,
            instead_of=None if (compared_with or before) == NOTHING else compared_with or before,
            run=(context.labels or {}).get("workflow", ""),
            again=nuclio is not None,
        )
    except Exception:
        _undo(proof)
        raise
    if not outcome.promoted:
        _undo(proof)
    rows, difference, endpoint = outcome.proof or (None, None, None)
    champion = registry.champion(network)
    context.log_results(
        {
            "rows": rows,
            "difference": difference,
            "endpoint": endpoint,
            "promoted": str(outcome.promoted).lower(),
            "reason": outcome.reason,
            "champion": {"family": champion.family, "version": champion.version} if champion else None,
        }
    )


def _proven_here(folder: Path, features: DataItem) -> Proof:
    if not (folder / FILE).is_file():  # written by an older version
        dataset = Dataset.open(local_folder(features))
        write_excerpts(folder, read_card(folder), proof_of(dataset, folder))
    proof = prove(folder)
    return proof.rows, proof.difference, INFER.path


class _Nuclio:
    """Deploys a model as the real-time function and queries it; can be undone until it is the champion."""

    def __init__(
        self, platform: Platform, address: str, previous: str | None, folder: Path, features: DataItem
    ) -> None:
        self.platform, self.address, self.previous = platform, address, previous
        self.folder, self.features, self.started = folder, features, False

    def __call__(self) -> Proof:
        scorer = Scorer(self.folder)
        dataset = Dataset.open(local_folder(self.features))
        indices = np.unique(np.linspace(0, dataset.meta.samples - 1, ROWS).astype(np.int64))
        rows = gather(dataset, scorer.card.features, indices)
        difference, endpoint = roll_out(self.platform, self.address, self.previous, rows, scorer.score(rows))
        self.started = True
        return len(rows), difference, endpoint


def _undo(proof: object) -> None:
    """Roll the function back to the champion if it runs a model that is not promoted."""
    if isinstance(proof, _Nuclio) and proof.started:
        proof.platform.roll_back(proof.previous)
