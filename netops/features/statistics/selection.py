"""One compiled function for all statistics of a window, chosen by their code."""

from collections.abc import Mapping
from importlib import import_module
from typing import TypeAlias

import numpy as np

from netops.features.statistics.registry import WINDOW_STATISTICS, Statistic
from netops.kernels import Kernel, inlined

Function: TypeAlias = Kernel[[float, float, float, float, float], float]
Selection: TypeAlias = Kernel[[int, float, float, float, float, float], float]

#: The values in windows without a valid value, by code.
EMPTY = tuple(statistic.empty for statistic in WINDOW_STATISTICS.values())


@inlined
def _unknown(code: int, n: float, mean: float, std: float, low: float, high: float) -> float:
    return float(np.nan)


def selection(statistics: Mapping[str, Statistic]) -> Selection:
    """Compile a function that computes the statistic of a code.

    The functions are inlined one in another, as a chain of comparisons: numba has no table of functions that it
    could inline.
    """
    chosen: Selection = _unknown
    for code, statistic in reversed(list(enumerate(statistics.values()))):
        chosen = _one_more(code, _function(statistic), chosen)
    return chosen


def _function(statistic: Statistic) -> Function:
    module, _, name = statistic.function.partition(":")
    function: Function = getattr(import_module(module), name)
    return function


def _one_more(own: int, function: Function, others: Selection) -> Selection:
    @inlined
    def choose(code: int, n: float, mean: float, std: float, low: float, high: float) -> float:
        if code == own:
            return function(n, mean, std, low, high)
        return others(code, n, mean, std, low, high)

    return choose


window_statistic = selection(WINDOW_STATISTICS)
