"""Search for hyper-parameters: trials of one family, each a whole fit, one after the other.

The metric of a trial is its weighted average precision over the rows held out for early stopping: whole periods of
the training split that no trial is fitted on. Only the winner is applied to the validation split, which selects
threshold, calibration and family, and to the test split, so that the number of trials does not bias their metrics.

The first trial is the configured one. The winner is the model that was evaluated; nothing is fitted again.
"""

import gc
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.json_types import JsonDict
from netops.models.card_sections import SearchResult
from netops.models.fitted import Fitted
from netops.training.families.protocol import Family, FitData
from netops.training.families.space import Between, OneOf

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

#: Random trials, including the configured one, before the sampler uses previous results.
_AT_RANDOM = 5

TrialCallback = Callable[["Trial"], None]


@dataclass(frozen=True)
class Trial:
    """One set of hyper-parameters and its result.

    Attributes
    ----------
    number : int
        From 1; the first is the configured one.
    params : dict
        The hyper-parameters that are searched.
    average_precision : float
        Over the held-out rows; 0 if the fit failed.
    seconds : float
        Wall time of the fit.
    iterations : int
        Trees or epochs of the fitted model.
    error : str
        Why the fit failed, in one line; empty if it succeeded.
    """

    number: int
    params: JsonDict
    average_precision: float
    seconds: float
    iterations: int
    error: str = ""


@dataclass(frozen=True)
class Limits:
    """When a search ends; without either limit it is the configured fit alone.

    Attributes
    ----------
    trials : int or None
        Trials at most.
    deadline : float or None
        Monotonic time after which no trial but the first starts.
    """

    trials: int | None = 1
    deadline: float | None = None

    @property
    def one(self) -> bool:
        """Whether there is no search."""
        return self.trials == 1

    def reached(self, done: int, now: float) -> bool:
        """Return whether the search has ended."""
        return done >= 1 and (
            (self.trials is not None and done >= self.trials)
            or (self.deadline is not None and now >= self.deadline)
        )


def load_search() -> None:
    """Import what a search needs.

    Optuna keeps the errors of packages that it did not find, and with them all calls that are going on when it is
    imported: objects that these refer to, data among them, would never be freed. A separate thread handles none.
    """
    thread = threading.Thread(target=_import_optuna)
    thread.start()
    thread.join()


def _import_optuna() -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)


def best_of(trials: list[Trial]) -> Trial | None:
    """Return the best trial, the earliest of equals; None if all failed."""
    good = [trial for trial in trials if not trial.error]
    return max(good, key=lambda trial: (trial.average_precision, -trial.number)) if good else None


def summary_of(trials: list[Trial], note: str = "") -> SearchResult:
    """Return the model card entry of a search; empty if there was none."""
    best = best_of(trials)
    if best is None:
        return {}
    good = [trial.average_precision for trial in trials if not trial.error]
    return {
        "objective": "average precision on the training incidents set aside for early stopping",
        "trials": len(trials),
        "failed": len(trials) - len(good),
        "chosen": best.number,
        "best": best.average_precision,
        "configured": trials[0].average_precision,
        "worst": min(good),
        "median": float(np.median(good)),
        "seconds": sum(trial.seconds for trial in trials),
        "note": note,
        "tried": [asdict(trial) for trial in trials],
    }


@dataclass
class Search:
    """A search over one family's hyper-parameters.

    Attributes
    ----------
    data : FitData
    seed, threads : int
        Of every fit; the seed is that of the search too.
    limits : Limits
    on_trial : callable
        Receives each trial when it has ended.
    clock : callable
        Seconds that only grow.
    """

    data: FitData
    seed: int
    threads: int
    limits: Limits
    on_trial: TrialCallback = lambda trial: None
    clock: Callable[[], float] = time.monotonic
    _trials: list[Trial] = field(default_factory=list)

    def run(self, family: Family) -> tuple[Family, Fitted, float]:
        """Try hyper-parameters until a limit is reached.

        Returns
        -------
        tuple
            The family with the best hyper-parameters, its fitted model, and how long that fit took.

        Raises
        ------
        NetopsError
            If every trial failed.
        """
        proposals = Proposals(family, self.seed)
        best: tuple[Family, Fitted, float] | None = None
        while not self.limits.reached(len(self._trials), self.clock()):
            candidate = proposals.ask()
            trial, fitted = self._try(candidate, proposals.params(candidate))
            proposals.report(None if trial.error else trial.average_precision)
            self._trials.append(trial)
            self.on_trial(trial)
            if best_of(self._trials) is trial and fitted is not None:
                best = candidate, fitted, trial.seconds
            del fitted
            gc.collect()  # a network's graph refers to its data in reference cycles
        if best is None:
            raise NetopsError(f"every trial failed, the first with: {self._trials[0].error}")
        return best

    def _try(self, family: Family, params: JsonDict) -> tuple[Trial, Fitted | None]:
        number, started = len(self._trials) + 1, self.clock()
        try:
            fitted = family.fit(self.data, self.seed, self.threads)
            seconds = self.clock() - started
            return Trial(number, params, evaluate_trial(fitted, self.data), seconds, fitted.iterations), fitted
        except Exception as error:  # noqa: BLE001 what a library thinks of odd hyper-parameters must not end the search
            text = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"
            return Trial(number, params, 0.0, self.clock() - started, 0, text), None


class Proposals:
    """What to try next: the tree-structured Parzen estimator of Optuna, in memory, seeded.

    The same seed and results give the same proposals at any time.
    """

    def __init__(self, family: Family, seed: int) -> None:
        load_search()
        import optuna

        self._family = family
        self._spans = {name: span.holding(getattr(family, name)) for name, span in family.space.items()}
        self._distributions = {name: _distribution(span) for name, span in self._spans.items()}
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_AT_RANDOM)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._study.enqueue_trial({name: _clip(span, getattr(family, name)) for name, span in self._spans.items()})
        self._asked: optuna.Trial | None = None

    def ask(self) -> Family:
        """Propose a family to fit; the first is the configured one."""
        self._asked = self._study.ask(self._distributions)
        found = {name: _value(self._spans[name], index) for name, index in self._asked.params.items()}
        return replace(self._family, **found)  # type: ignore[type-var]

    def report(self, value: float | None) -> None:
        """Report the score of the last proposal to the study; None if it failed."""
        import optuna

        failed = optuna.trial.TrialState.FAIL if value is None else None
        self._study.tell(self._asked, value, state=failed)

    def params(self, family: Family) -> JsonDict:
        """Pick the hyper-parameters that are searched, in the order of the family's fields."""
        names = [entry.name for entry in fields(family) if entry.name in self._spans]  # type: ignore[arg-type]
        return {name: getattr(family, name) for name in names}


def evaluate_trial(fitted: Fitted, data: FitData) -> float:
    """Return the average precision of a fitted model on the held-out rows."""
    parts = [(labels, fitted.predict(features), weights) for features, labels, weights in data.pieces(early=True)]
    return average_precision(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def average_precision(
    labels: npt.NDArray[np.float32] | npt.NDArray[np.bool_],
    risks: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
) -> float:
    """Compute the weighted average precision: the sum over thresholds of recall gained × precision."""
    order = np.argsort(-risks, kind="stable")
    hits = np.cumsum(labels[order] * weights[order], dtype=np.float64)
    alarms = np.cumsum(weights[order], dtype=np.float64)
    last = np.append(np.diff(risks[order]) != 0, True)  # a threshold cannot separate equal risks
    hits, alarms = hits[last], alarms[last]
    return float(np.sum(np.diff(hits, prepend=0.0) * hits / alarms) / hits[-1])


def _distribution(span: Between | OneOf) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(span, OneOf):
        return CategoricalDistribution(range(len(span.values)))
    kind = IntDistribution if span.whole else FloatDistribution
    return kind(span.low, span.high, log=span.log)


def _clip(span: Between | OneOf, value: object) -> object:
    return span.values.index(value) if isinstance(span, OneOf) else value


def _value(span: Between | OneOf, index: float) -> object:
    return span.values[int(index)] if isinstance(span, OneOf) else index
