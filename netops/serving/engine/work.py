"""The data of a request during processing."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from netops.serving.engine.champion import ServedModel
from netops.serving.engine.samples import REJECTED, STATUSES, Answer, Reason, Samples

#: Rows scored at once: large enough to be efficient, small enough that other requests do not wait long.
SLICE = 250


@dataclass(slots=True)
class Work:
    """The samples of a request and the results of the steps.

    Attributes
    ----------
    samples : Samples
        The samples, n rows.
    model : ServedModel
        The champion at the arrival of the request, used until its end.
    status : uint8 array, n
        Status of each sample.
    codes : int64 array, n
        Codes of the devices; -1 in rejected rows.
    scored : int64 array, k
        The rows that were scored.
    quarantined : bool array, k
        Rows of devices whose clock is ahead of the network: they are scored, but do not alert.
    features : float64 array, k × features
        Feature vectors.
    risks : float64 array, k
        Risks.
    probabilities : float64 array, k
        Probabilities of a failure within the horizon; NaN if the model is not calibrated.
    contributions : float64 array, k × model features, or None
        Approximate contributions of the features to the risks; None if they are not computed yet.
    reasons : list of list of Reason, k
        Reasons of each risk.
    alert : bool array, n
        Whether the device's alert is open after the sample.
    """

    samples: Samples
    model: ServedModel
    status: npt.NDArray[np.uint8]
    codes: npt.NDArray[np.int64]
    scored: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    quarantined: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    features: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    risks: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    probabilities: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    contributions: npt.NDArray[np.float64] | None = None
    reasons: list[list[Reason]] = field(default_factory=list)
    alert: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    @classmethod
    def of(cls, samples: Samples, model: ServedModel) -> "Work":
        """Create the work for samples."""
        count = len(samples)
        status = np.zeros(count, dtype=np.uint8)
        if samples.errors:
            status[list(samples.errors)] = REJECTED
        return cls(
            samples, model, status, np.full(count, -1, dtype=np.int64), alert=np.zeros(count, dtype=np.bool_)
        )

    def answers(self) -> list[Answer]:
        """Return the answer to each sample, in order."""
        samples, version = self.samples, self.model.version
        answers = [
            Answer(device, stamp, STATUSES[status], None, alert, [], version, None)
            for device, stamp, status, alert in zip(
                samples.devices, samples.stamps, self.status.tolist(), self.alert.tolist(), strict=True
            )
        ]
        found = zip(
            self.scored.tolist(), self.risks.tolist(), self.probabilities.tolist(), self.reasons, strict=True
        )
        for row, risk, probability, reasons in found:
            answer = answers[row]
            answer.risk = risk if risk == risk else None
            answer.probability = probability if probability == probability else None
            answer.reasons = reasons
        for row, error in samples.errors.items():
            answers[row].error = error
        return answers
