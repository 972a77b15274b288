"""Runs in threads keep their output, artifacts and labels apart."""

import os
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlrun
import pytest

DATA = Path(__file__).parent / "data"
FAMILIES = ("sklearn", "xgboost", "tensorflow")


@pytest.fixture(scope="module")
def project(embedded, tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    for name in ("steps.py", "parallel.py"):
        shutil.copy(DATA / name, folder)
    made = mlrun.get_or_create_project("threads", str(folder))
    for name in ("generate", "train"):
        made.set_function("steps.py", name, kind="job", image="mlrun/mlrun")
    made.set_workflow("main", "parallel.py")
    made.save()
    return made


def assert_separate(project, runs):
    for family, run in zip(FAMILIES, runs, strict=True):
        assert run.state() == "completed"
        assert run.metadata.labels["family"] == family
        _, log = mlrun.get_run_db().get_log(run.uid(), project.name)
        lines = log.decode().splitlines()
        assert [line for line in lines if " step " in line] == [f"{family} step {step}" for step in range(30)]
        assert sum(f"{family} logs" in line for line in lines) == 30
        assert len(lines) == 60
        assert mlrun.get_dataitem(run.outputs["model"]).url
        model = project.get_artifact(f"train-{family}_model", tree=run.metadata.labels.get("workflow") or run.uid())
        assert Path(model.target_path, model.model_file).read_text() == family


def test_three_trainings_run_at_once_in_threads(project, capsys):
    data = project.run_function("generate", handler="generate", local=True).outputs["data"]
    terminal, folder = sys.stdout, os.getcwd()
    started = threading.Barrier(len(FAMILIES))

    def train(family):
        started.wait()
        return project.run_function(
            "train",
            name=f"train-{family}",
            handler="train",
            inputs={"data": data},
            params={"family": family, "steps": 30},
            local=True,
        )

    with ThreadPoolExecutor(len(FAMILIES)) as pool:
        runs = list(pool.map(train, FAMILIES))
    assert_separate(project, runs)
    assert sys.stdout is terminal
    assert os.getcwd() == folder
    shown = capsys.readouterr().out.splitlines()
    assert sum("xgboost step" in line for line in shown) == 30


def test_trainings_at_once_inside_a_workflow_belong_to_it(project):
    status = project.run("main", engine="local", arguments={"steps": 30})
    assert status.state == "Succeeded"
    runs = [project.list_runs(name=f"train-{family}").to_objects()[0] for family in FAMILIES]
    assert {run.metadata.labels["workflow"] for run in runs} == {status.run_id}
    assert_separate(project, runs)


def test_threads_of_the_code_of_a_run_print_into_its_log(project):
    def handler(context):
        worker = threading.Thread(target=print, args=("from a thread",))
        worker.start()
        worker.join()

    run = mlrun.new_function("inner", kind="local", project=project.name).run(handler=handler, local=True)
    assert mlrun.get_run_db().get_log(run.uid(), project.name)[1] == b"from a thread\n"


def test_runs_inside_of_runs_keep_their_own_log(project):
    function = mlrun.new_function("nested", project=project.name)

    def inner(context):
        print("inner")

    def outer(context):
        print("before")
        function.run(handler=inner, name="inner")
        print("after")

    function.run(handler=outer, name="outer")
    logs = {}
    for name in ("inner", "outer"):
        (run,) = project.list_runs(name=name)
        lines = mlrun.get_run_db().get_log(run["metadata"]["uid"], project.name)[1].decode().splitlines()
        logs[name] = [line for line in lines if not line.startswith(">")]
    assert logs == {"inner": ["inner"], "outer": ["before", "inner", "after"]}


def test_a_failing_run_gives_stdout_back(project):
    terminal = sys.stdout
    with pytest.raises(mlrun.runtimes.utils.RunError):
        project.run_function("train", name="broken", handler="fail", local=True)
    assert sys.stdout is terminal


def test_mlrun_itself_is_quiet(project, capsys):
    project.run_function("generate", handler="generate", local=True)
    shown = capsys.readouterr()
    assert shown.out == "10 rows\n"
    assert shown.err == ""
