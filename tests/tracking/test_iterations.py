"""Trials of a search as MLRun iterations, on the embedded run database and on a service alike."""

import csv
import io

import mlrun
import pytest

from netops.tracking.iterations import OBJECTIVE, read_iterations


@pytest.fixture(scope="module")
def searched(project):
    return project.run_function("generate", name="searched", handler="search", local=True)


def test_each_trial_is_an_iteration(project, searched):
    assert searched.state() == "completed"
    assert len(project.list_runs(name="searched")) == 1
    runs = project.list_runs(name="searched", iter=True)
    found = {run["metadata"].get("iteration", 0): run for run in runs}
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert found[2]["spec"]["parameters"] == {"depth": 2, "layers": "64 32", "l2": 1.0}
    assert found[2]["status"]["results"] == {OBJECTIVE: 0.2, "fit_seconds": 0.25, "iterations": 14}
    assert [found[number]["status"]["state"] for number in (1, 2, 3, 4)] == [
        *["completed"] * 2,
        "error",
        "completed",
    ]
    assert found[3]["status"]["error"] == "no luck"
    second = mlrun.get_run_db().read_run(searched.uid(), project.name, iter=2)
    assert second["status"]["results"][OBJECTIVE] == 0.2


def test_the_best_marks_the_run_and_leaves_its_own_results(searched):
    assert searched.outputs["best_iteration"] == 2
    assert searched.outputs[OBJECTIVE] == 0.2
    assert searched.outputs["average_precision"] == 0.9


def test_the_table_is_with_the_run(project, searched):
    logged = mlrun.get_run_db().read_run(searched.uid(), project.name)
    header, *rows = logged["status"]["iterations"]
    assert header[:5] == ["state", "iter", "param.depth", "param.layers", "param.l2"]
    assert [row[1] for row in rows] == [1, 2, 3, 4]
    text = mlrun.get_dataitem(searched.outputs["iteration_results"]).get().decode()
    assert list(csv.reader(io.StringIO(text)))[1:] == [[str(cell) for cell in row] for row in rows]
    trials = read_iterations(logged)
    assert [trial["iteration"] for trial in trials if trial["best"]] == [2]
    assert trials[0]["depth"] == 1


def test_they_look_like_those_of_mlrun_itself(project, searched):
    """The table has the columns that a hyper-parameter run of MLRun makes, in the same places."""
    own = project.run_function("generate", name="own", handler="score", hyperparams={"p": [1, 2]}, local=True)
    ours, theirs = searched.status.iterations, own.status.iterations
    assert ours[0][:2] == theirs[0][:2]
    assert {name.split(".")[0] for name in ours[0]} == {name.split(".")[0] for name in theirs[0]}
    assert [type(value) for value in ours[1][:2]] == [type(value) for value in theirs[1][:2]]


def test_a_run_without_a_search_has_none(project):
    run = project.run_function("generate", name="plain", handler="generate", local=True)
    assert read_iterations(run.to_dict()) == []


def test_within_an_iteration_there_are_none(project):
    run = project.run_function(
        "generate", name="nested", handler="search", hyperparams={"trials": [2, 3]}, local=True
    )
    runs = project.list_runs(name="nested", iter=True)
    assert sorted(found["metadata"].get("iteration", 0) for found in runs) == [0, 1, 2]
    assert run.state() == "completed"
