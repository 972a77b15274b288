"""Trials of a search as iterations of an MLRun run: child runs, and a table of them with the run.

This is what MLRun's own hyper-parameter runs leave behind, so that its UI and ``list_runs(iter=True)`` show trials
as they show those. Child contexts would come to the same, but commit every iteration again with each that follows.
"""

import copy
import csv
import io
from datetime import timedelta
from typing import Any

import mlrun
from mlrun.artifacts import TableArtifact
from mlrun.common.runtimes.constants import RunStates
from mlrun.utils import now_date

from netops.training.search import Trial, best_of

#: The metric of trials; differs from the ``average_precision`` of the run, which is that of the test split.
OBJECTIVE = "early_average_precision"
#: MLRun's name of the artifact with the table.
TABLE = "iteration_results"


class Iterations:
    """Logs each trial as an iteration of a run.

    Parameters
    ----------
    context : mlrun.MLClientCtx
        Of the run.
    """

    def __init__(self, context: Any) -> None:
        self._context = context
        self._trials: list[Trial] = []
        self._runs: list[dict[str, Any]] = []

    def __call__(self, trial: Trial) -> None:
        """Log a trial that has just ended."""
        if self._context.iteration:
            return  # the run is an iteration itself: MLRun supports one level of them
        run = self._run(trial)
        mlrun.get_run_db().store_run(run, self._context.uid, self._context.project, iter=trial.number)
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
        self._context.log_iteration_results(best.number, table, self._runs[best.number - 1])
        artifact = TableArtifact(TABLE, body=text.getvalue(), header=table[0], viewer="table")
        self._context.log_artifact(artifact, local_path=f"{TABLE}.csv")

    def _run(self, trial: Trial) -> dict[str, Any]:
        run: dict[str, Any] = copy.deepcopy(self._context.to_dict())
        now = now_date()
        run["metadata"]["iteration"] = trial.number
        run["spec"]["parameters"] = {name: _plain(value) for name, value in trial.params.items()}
        for key in ("hyperparams", "hyper_param_options", "outputs"):
            run["spec"].pop(key, None)
        run["status"] = {
            "state": RunStates.error if trial.error else RunStates.completed,
            "results": {
                OBJECTIVE: trial.average_precision,
                "fit_seconds": round(trial.seconds, 3),
                "iterations": trial.iterations,
            },
            "start_time": (now - timedelta(seconds=trial.seconds)).isoformat(),
            "last_update": now.isoformat(),
            "end_time": now.isoformat(),
        } | ({"error": trial.error} if trial.error else {})
        return run

    def _table(self) -> list[list[Any]]:
        first = self._runs[0]
        params, results = list(first["spec"]["parameters"]), list(first["status"]["results"])
        header = ["state", "iter", *(f"param.{name}" for name in params), *(f"output.{name}" for name in results)]
        return [header, *(self._row(run, params, results) for run in self._runs)]

    def _row(self, run: dict[str, Any], params: list[str], results: list[str]) -> list[Any]:
        spec, status = run["spec"]["parameters"], run["status"]
        values = [*(spec[name] for name in params), *(status["results"][name] for name in results)]
        return [status["state"], run["metadata"]["iteration"], *values]


def read_iterations(run: dict[str, Any]) -> list[dict[str, Any]]:
    """Read the table of iterations of a run record; empty without a search.

    Returns
    -------
    list of dict
        ``iteration``, ``state``, ``best``, then parameters and results by their names.
    """
    header, *rows = run["status"].get("iterations") or [[]]
    names = [name.removeprefix("param.").removeprefix("output.") for name in header]
    best = (run["status"].get("results") or {}).get("best_iteration")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [{"iteration": (number := row.pop("iter")), "best": number == best, **row} for row in found]


def _plain(value: Any) -> Any:
    """Convert a list to text, because a cell of the table contains one value."""
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
