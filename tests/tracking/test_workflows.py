"""A workflow of the local engine is a run of its own, and can be read as a pipeline."""

import shutil
from pathlib import Path

import mlrun
import pytest

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def project(embedded, tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    for name in ("steps.py", "workflow.py"):
        shutil.copy(DATA / name, folder)
    made = mlrun.get_or_create_project("workflows", str(folder))
    for name in ("generate", "train"):
        made.set_function("steps.py", name, kind="job", image="mlrun/mlrun")
    made.set_workflow("main", "workflow.py")
    made.save()
    return made


def test_the_workflow_and_its_steps_are_recorded(project):
    status = project.run("main", engine="local", arguments={"rows": 3})
    (run,) = project.list_runs(labels="job-type=workflow-runner")
    assert run["metadata"]["uid"] == status.run_id
    assert (run["metadata"]["name"], run["status"]["state"]) == ("main", "completed")
    assert run["spec"]["parameters"] == {"rows": 3}
    pipeline = mlrun.get_pipeline(status.run_id, project=project.name)
    assert pipeline["run"]["status"] == "Succeeded"
    names = [node["name"] for node in pipeline["graph"].values()]
    assert names == ["generate-generate", "train-sklearn", "train-xgboost"]
    assert mlrun.wait_for_pipeline_completion(status.run_id, project=project.name)["run"]["id"] == status.run_id
    total, token, pipelines = mlrun.run.list_pipelines(project=project.name)
    assert (total, token, pipelines[0]["id"]) == (1, None, status.run_id)


def test_a_workflow_that_fails_is_recorded_as_failed(project):
    def handler():
        project.run_function("generate", name="fails", handler="fail")

    status = project.run(workflow_handler=handler, name="doomed", engine="local")
    assert status.state == "Failed"
    (run,) = project.list_runs(name="doomed")
    assert run["status"]["state"] == "error"
    assert "no luck" in run["status"]["error"]
    assert mlrun.get_pipeline(status.run_id, project=project.name)["run"]["status"] == "Failed"


def test_an_unknown_workflow_is_not_found(project):
    with pytest.raises(mlrun.errors.MLRunNotFoundError):
        mlrun.get_pipeline("nothing", project=project.name)
