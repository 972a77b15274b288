"""Verify that a model reproduces its test results in the serving pipeline, in a separate process.

``python -m netops.serving.mlrun.proof FOLDER`` starts the pipeline of a server for a model folder, without HTTP,
sends the samples that training has stored with the model, and compares the answers.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import netops
from netops.alerting.settings import AlertSettings
from netops.errors import NetopsError
from netops.models.card import read_card
from netops.models.platt import Platt
from netops.registry import ProofError
from netops.serving.decode.times import iso
from netops.serving.engine.champion import FixedModel
from netops.serving.engine.pipeline import Pipeline
from netops.serving.engine.runtime import Runtime
from netops.serving.settings import ServingSettings
from netops.training.proof import Excerpt, read_proof

#: Maximum difference from the test result.
TOLERANCE = 1e-6
#: Timeout of the process, in seconds.
TIMEOUT = 120.0
#: Samples per request.
_REQUEST = 500
_WRONG = 3

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Proof:
    """The result of a verification.

    Attributes
    ----------
    rows : int
        Samples whose risk was compared.
    difference : float
        Maximum difference.
    """

    rows: int
    difference: float


def prove(folder: Path) -> Proof:
    """Load a model folder in a separate process and compare its answers with the test results.

    Parameters
    ----------
    folder : Path
        A model folder with the stored test samples (``netops.training.proof``).

    Raises
    ------
    ProofError
        If the model does not load or answer, or its answers differ.
    NetopsError
        If the process cannot be started or is killed, so that the model could not be verified.
    """
    root = str(Path(netops.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    command = [sys.executable, "-m", __spec__.name, str(folder)]
    environment = os.environ | {"PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NetopsError(f"the proof of {folder.name} did not end: {error}; try again") from error
    if done.returncode == 0:
        return Proof(**json.loads(done.stdout))
    words = [line for line in done.stderr.splitlines() if line.strip()] or ["no output"]
    if done.returncode == _WRONG:
        raise ProofError(words[-1])
    raise NetopsError(f"the proof of {folder.name} ended with exit code {done.returncode}: {words[-1][:200]}")


def compare(excerpts: list[Excerpt], folder: Path) -> Proof:
    """Send excerpts to a pipeline in this process.

    Raises
    ------
    ProofError
        As for :func:`prove`.
    """
    rows, greatest = 0, 0.0
    try:
        card = read_card(folder)
        platt = Platt.from_dict(card.calibration)
        with tempfile.TemporaryDirectory(prefix="netops-") as state:
            pipeline = _start(folder, card.version, Path(state))
            try:
                for excerpt in excerpts:
                    pipeline.runtime.reset()
                    risks, probabilities = _answers(pipeline, excerpt, card.metrics)
                    known = np.isfinite(excerpt.risks)
                    greatest = max(greatest, _difference("risk", risks[known], excerpt.risks[known]))
                    likely = np.isfinite(excerpt.probabilities)
                    _difference("probability", probabilities[likely], excerpt.probabilities[likely])
                    stated = platt.apply(excerpt.risks) if platt else np.full(len(known), np.nan)
                    _difference("calibration on the card", stated[likely], excerpt.probabilities[likely])
                    rows += int(known.sum())
            finally:
                pipeline.runtime.close()
    except ProofError:
        raise
    except (NetopsError, ValueError, KeyError, TypeError) as error:
        raise ProofError(f"the model cannot serve: {' '.join(str(error).split())[:300]}") from error
    if rows == 0:
        raise ProofError("no sample could be compared: the model cannot be proven")
    return Proof(rows, greatest)


def _start(folder: Path, version: str, state: Path) -> Pipeline:
    settings = dataclasses.replace(ServingSettings(), receivers=())
    runtime = Runtime("proof", FixedModel(version, folder), settings, AlertSettings(), state)
    runtime.model.counters = ()  # the excerpts hold rates
    return Pipeline(runtime)


def _answers(pipeline: Pipeline, excerpt: Excerpt, metrics: tuple[str, ...]) -> tuple[Floats, Floats]:
    answers = []
    for first in range(0, len(excerpt.timestamps), _REQUEST):
        body = [
            {"timestamp": iso(time), "device": excerpt.device}
            | {name: value for name, value in zip(metrics, values, strict=True) if value == value}
            for time, values in zip(
                excerpt.timestamps[first : first + _REQUEST].tolist(),
                excerpt.values[first : first + _REQUEST].tolist(),
                strict=True,
            )
        ]
        answers += pipeline.run(json.dumps(body).encode())
    refused = [answer for answer in answers if answer.status != "scored"]
    if refused:
        status = refused[0].status
        raise ProofError(f"{len(refused)} of {len(answers)} samples were answered '{status}', not scored")
    return _numbers([answer.risk for answer in answers]), _numbers([answer.probability for answer in answers])


def _numbers(values: list[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _difference(what: str, answered: Floats, expected: Floats) -> float:
    difference = float(np.abs(answered - expected).max(initial=0.0))
    if not difference <= TOLERANCE:
        raise ProofError(f"the served model differs from the tested one: {what} by {difference:.3g}")
    return difference


def main() -> int:
    """Verify the folder given on the command line; print the result as JSON."""
    folder = Path(sys.argv[1])
    try:
        proof = compare(read_proof(folder), folder)
    except NetopsError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return _WRONG
    print(json.dumps(asdict(proof)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
