"""What only the service can do says so in one line, whichever way it is asked for."""

import inspect
from pathlib import Path

import mlrun
import mlrun.errors
import pytest
from mlrun.db.base import RunDBInterface
from mlrun.db.httpdb import HTTPRunDB

from netops.errors import NetopsError

DATA = Path(__file__).parent / "data"
LINE = r"'[a-z0-9 ]+' needs the MLRun service: set MLRUN_DBPATH to its address \(http://…\)$"


@pytest.fixture(scope="module")
def project(embedded, tmp_path_factory):
    return mlrun.get_or_create_project("alone", str(tmp_path_factory.mktemp("project")))


@pytest.mark.parametrize(
    "ask",
    [
        lambda project: mlrun.get_run_db().invoke_schedule(project.name, "x"),
        lambda project: project.set_secrets({"a": "b"}),
        lambda project: project.list_model_endpoints(),
        lambda project: project.enable_model_monitoring(),
        lambda project: mlrun.get_run_db().submit_job({}),
        lambda project: mlrun.run.retry_pipeline("x", project.name),
        lambda project: mlrun.get_run_db().list_feature_sets(project.name),
    ],
)
def test_it_is_refused_in_one_line(project, ask):
    with pytest.raises(NetopsError, match="^" + LINE) as caught:
        ask(project)
    assert isinstance(caught.value, mlrun.errors.MLRunBaseError)


@pytest.mark.parametrize("schedule", [None, "0 3 * * *"])
def test_a_remote_or_scheduled_run_is_refused_in_one_line(project, tmp_path, schedule):
    (tmp_path / "f.py").write_text("def f(context): pass\n")
    function = project.set_function(str(tmp_path / "f.py"), "f", kind="job", image="i")
    with pytest.raises(mlrun.errors.MLRunBadRequestError, match=LINE):
        function.run(handler="f", local=False, project=project.name, schedule=schedule)


@pytest.mark.parametrize("options", [{"engine": "remote"}, {"schedule": "0 3 * * *"}])
def test_a_remote_or_scheduled_workflow_is_refused_in_one_line(project, options):
    project.set_workflow("main", str(DATA / "workflow.py"))
    project.spec.source = "git://example.com/somewhere.git"
    with pytest.raises(NetopsError, match=LINE):
        project.run("main", local=False, **options)


def test_every_method_of_the_client_is_there(embedded):
    database = mlrun.get_run_db()
    assert database
    for source in (RunDBInterface, HTTPRunDB):
        for name, method in inspect.getmembers(source, inspect.isfunction):
            if not name.startswith("_"):
                assert callable(getattr(database, name)), name
                assert getattr(type(database), name) is not method or name in vars(RunDBInterface)
