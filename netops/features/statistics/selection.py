"""One compiled function for all statistics of a window, chosen by their code."""

from collections.abc import Mapping
from importlib import import_module
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from netops.features.statistics.registry import WINDOW_STATISTICS, Statistic
from netops.kernels import Kernel, inlined

Function: TypeAlias = Kernel[[float, float, float, float, float], float]
Selection: TypeAlias = Kernel[[int, float, float, float, float, float], float]
Floats = npt.NDArray[np.float64]
ColumnSelection: TypeAlias = Kernel[[int, Floats, int, Floats], None]

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


def column_selection(statistics: Mapping[str, Statistic]) -> ColumnSelection:
    """Compile a function that writes the statistic of a code for many windows.

    It reads n, mean, std, low and high from planes of rows × lanes, one lane of them. The code is compared once,
    so that each loop reads only what its statistic needs.
    """
    chosen: ColumnSelection = _no_column
    for code, statistic in reversed(list(enumerate(statistics.values()))):
        chosen = _one_more_column(code, _function(statistic), statistic.empty, chosen)
    return chosen


@inlined
def _no_column(code: int, planes: Floats, lane: int, out: Floats) -> None:
    out[:] = np.nan


def _one_more_column(own: int, function: Function, empty: float, others: ColumnSelection) -> ColumnSelection:
    @inlined
    def write(code: int, planes: Floats, lane: int, out: Floats) -> None:
        if code == own:
            for r in range(len(out)):
                n, y = planes[0, r, lane], empty
                if n > 0.0:
                    y = function(n, planes[1, r, lane], planes[2, r, lane], planes[3, r, lane], planes[4, r, lane])
                out[r] = y
        else:
            others(code, planes, lane, out)

    return write


window_statistic = selection(WINDOW_STATISTICS)
write_statistic = column_selection(WINDOW_STATISTICS)
