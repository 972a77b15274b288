"""Trials of a search as iterations of an MLRun run: child runs, and a table of them with the run.

This is what MLRun's own hyper-parameter runs leave behind, so that its UI and ``list_runs(iter=True)`` show trials
as they show those. Child contexts would come to the same, but commit every iteration again with each that follows.
"""

import copy
import csv
import io
from dataclasses import dataclass
from datetime import timedelta

import mlrun
from mlrun.artifacts import TableArtifact
from mlrun.common.runtimes.constants import RunStates
from mlrun.utils import now_date

from netops.json_types import Json, JsonDict
from netops.tracking.database import documents
from netops.tracking.mlrun_types import StageContext
from netops.tracking.records import RunRecord
from netops.training.search import Trial, best_of

#: The metric of trials; differs from the ``average_precision`` of the run, which is that of the test split.
OBJECTIVE = "early_average_precision"
#: MLRun's name of the artifact with the table.
TABLE = "iteration_results"


@dataclass(frozen=True)
class _Run:
    """A trial as a run of its own."""

    record: JsonDict
    number: int
    state: str
    params: JsonDict
    results: JsonDict

    def row(self, params: list[str], results: list[str]) -> list[Json]:
        """Write its row of the table."""
        values = (*(self.params[name] for name in params), *(self.results[name] for name in results))
        return [self.state, self.number, *values]


class Iterations:
    """Logs each trial as an iteration of a run.

    Parameters
    ----------
    context : mlrun.MLClientCtx
        Of the run.
    """

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._trials: list[Trial] = []
        self._runs: list[_Run] = []

    def __call__(self, trial: Trial) -> None:
        """Log a trial that has just ended."""
        if self._context.iteration:
            return  # the run is an iteration itself: MLRun supports one level of them
        run = self._run(trial)
        mlrun.get_run_db().store_run(run.record, self._context.uid, self._context.project, iter=trial.number)
        self._trials.append(trial)
        self._runs.append(run)
        self._context.log_iteration_results(0, self._table(), None, commit=True)

    def close(self) -> None:
        """Log the table, and mark the best iteration: its results become those of the run."""
        best = best_of(self._trials)
        if best is None:
            return
        table, text = self._table(), io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(table)
        self._context.log_iteration_results(best.number, table, self._runs[best.number - 1].record)
        artifact = TableArtifact(TABLE, body=text.getvalue(), header=table[0], viewer="table")
        self._context.log_artifact(artifact, local_path=f"{TABLE}.csv")

    def _run(self, trial: Trial) -> _Run:
        run = copy.deepcopy(self._context.to_dict())
        now = now_date()
        state = RunStates.error if trial.error else RunStates.completed
        params = {name: _plain(value) for name, value in trial.params.items()}
        results: JsonDict = {
            OBJECTIVE: trial.average_precision,
            "fit_seconds": round(trial.seconds, 3),
            "iterations": trial.iterations,
        }
        documents.section(run, "metadata")["iteration"] = trial.number
        spec = documents.section(run, "spec")
        spec["parameters"] = params
        for key in ("hyperparams", "hyper_param_options", "outputs"):
            spec.pop(key, None)
        run["status"] = {
            "state": state,
            "results": results,
            "start_time": (now - timedelta(seconds=trial.seconds)).isoformat(),
            "last_update": now.isoformat(),
            "end_time": now.isoformat(),
        } | ({"error": trial.error} if trial.error else {})
        return _Run(run, trial.number, state, params, results)

    def _table(self) -> list[list[Json]]:
        params, results = list(self._runs[0].params), list(self._runs[0].results)
        header: list[Json] = [
            "state",
            "iter",
            *(f"param.{name}" for name in params),
            *(f"output.{name}" for name in results),
        ]
        return [header, *(run.row(params, results) for run in self._runs)]


def read_iterations(run: RunRecord) -> list[JsonDict]:
    """Read the table of iterations of a run record; empty without a search.

    Returns
    -------
    list of dict
        ``iteration``, ``state``, ``best``, then parameters and results by their names.
    """
    header, *rows = run["status"].get("iterations") or [[]]
    names = [str(name).removeprefix("param.").removeprefix("output.") for name in header]
    best = (run["status"].get("results") or {}).get("best_iteration")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [{"iteration": (number := row.pop("iter")), "best": number == best, **row} for row in found]


def _plain(value: Json) -> Json:
    """Convert a list to text, because a cell of the table contains one value."""
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
