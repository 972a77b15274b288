"""Contribution of each feature to the log-odds of a multilayer perceptron: a fast and a more accurate method.

Both compare with the centre of the training data, where every scaled feature is 0. Fast: input × gradient, the
first-order Taylor term; inexact for a nonlinear net. More accurate: integrated gradients (Sundararajan et al.
2017), the gradient averaged on the straight line from the centre; expected value + sum of the contributions =
log-odds, up to the error of summing over finitely many steps.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Scaled = npt.NDArray[np.float32]
Contributions = npt.NDArray[np.float64]

#: Number of points on the line from the centre.
STEPS = 64


@dataclass(frozen=True)
class NetContributions:
    """A perceptron with ReLU between its layers.

    Attributes
    ----------
    kernels, biases : tuple of float32 arrays
        One of each a layer; the last has one unit, the log-odds.
    """

    kernels: tuple[npt.NDArray[np.float32], ...]
    biases: tuple[npt.NDArray[np.float32], ...]

    @cached_property
    def expected(self) -> float:
        """Log-odds at the centre."""
        return float(self._forward(np.zeros((1, len(self.kernels[0])), np.float32))[1][0, 0])

    def fast(self, scaled: Scaled) -> Contributions:
        """Return input × gradient of n × F scaled features: n × F log-odds."""
        return (scaled * self._gradient(scaled)).astype(np.float64)

    def walk(self, scaled: Scaled) -> tuple[Contributions, list[Scaled]]:
        """Return what :meth:`fast` does, and the outputs of no trees."""
        return self.fast(scaled), []

    def sums(self, scaled: Scaled) -> list[Scaled]:
        """Return the outputs of no trees."""
        return []

    def exact(self, scaled: Scaled) -> Contributions:
        """Return the integrated gradients of n × F scaled features: n × F log-odds."""
        total = np.zeros(scaled.shape)
        for step in range(STEPS):
            total += self._gradient(scaled * np.float32((step + 0.5) / STEPS))
        return scaled * total / STEPS

    def _forward(self, scaled: Scaled) -> tuple[list[npt.NDArray[np.bool_]], Scaled]:
        """Return the active units of each hidden layer, and the log-odds."""
        on, values = [], scaled
        for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
            values = values @ kernel + bias
            on.append(values > 0)
            values = values * on[-1]
        return on, values @ self.kernels[-1] + self.biases[-1]

    def _gradient(self, scaled: Scaled) -> Scaled:
        on, _ = self._forward(scaled)
        back = np.broadcast_to(self.kernels[-1].T, (len(scaled), len(self.kernels[-1])))
        for kernel, units in zip(self.kernels[-2::-1], on[::-1], strict=True):
            back = (back * units) @ kernel.T
        return back
