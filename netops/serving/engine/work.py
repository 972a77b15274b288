"""One request on its way through the steps."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from netops.serving.engine.champion import ServedModel
from netops.serving.engine.samples import REJECTED, STATUSES, Answer, Reason, Samples

#: Rows scored at once: enough to be quick, few enough that no other request waits long.
SLICE = 250


@dataclass(slots=True)
class Work:
    """The samples of one request and what the steps find out about them.

    Attributes
    ----------
    samples : Samples
        What was sent, n rows.
    model : ServedModel
        The champion when the request came in; it stays the same to the end of the request.
    status : uint8 array, n
        What became of each sample.
    codes : int64 array, n
        Codes of the devices; -1 in rejected rows.
    scored : int64 array, k
        The rows that were scored.
    on_trial : bool array, k
        Rows of devices whose clock runs ahead of their network: they are scored, but do not alert.
    features : float64 array, k × features
        Their feature vectors.
    risks : float64 array, k
        Their risks.
    probabilities : float64 array, k
        How probable failures within the horizon are; NaN from a model that does not tell.
    reasons : list of list of Reason, k
        Why.
    alert : bool array, n
        Whether the device's alert is open after the sample.
    """

    samples: Samples
    model: ServedModel
    status: npt.NDArray[np.uint8]
    codes: npt.NDArray[np.int64]
    scored: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    on_trial: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    features: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    risks: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    probabilities: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    reasons: list[list[Reason]] = field(default_factory=list)
    alert: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    @classmethod
    def of(cls, samples: Samples, model: ServedModel) -> "Work":
        """Begin with what was sent."""
        count = len(samples)
        status = np.zeros(count, dtype=np.uint8)
        if samples.errors:
            status[list(samples.errors)] = REJECTED
        return cls(
            samples, model, status, np.full(count, -1, dtype=np.int64), alert=np.zeros(count, dtype=np.bool_)
        )

    def answers(self) -> list[Answer]:
        """Answer each sample, in the order in which they came."""
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
