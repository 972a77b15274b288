"""What every stage does before its own work: a place of its own, no earlier attempt beside it, its page."""

import inspect
from types import SimpleNamespace

import pytest

from netops.errors import NetopsError
from netops.workflows.stages import stage


def context(path="s3://bucket/netops", uid="new", workflow="w1"):
    labels = {"workflow": workflow} if workflow else {}
    return SimpleNamespace(artifact_path=path, uid=uid, name="features", labels=labels)


@pytest.mark.parametrize(
    ("path", "workflow", "expected"),
    [
        ("s3://bucket/netops", "w1", "s3://bucket/netops/w1"),  # compiled without a service: it names no run
        ("s3://bucket/netops/w1", "w1", "s3://bucket/netops/w1"),
        ("s3://bucket/netops", "", "s3://bucket/netops"),  # a stage that is run by itself
        ("", "w1", ""),
    ],
)
def test_two_runs_never_share_an_address(path, workflow, expected) -> None:
    found = context(path, workflow=workflow)
    stage.assign_output_path(found)
    assert found.artifact_path == expected


class Database:
    """Runs of one step, as a service has them."""

    def __init__(self, *runs, refuse=False):
        self.runs, self.refuse, self.ended = runs, refuse, []

    def list_runs(self, name, project, labels, states):
        assert (name, labels) == ("features", ["workflow=w1"])
        return [run for run in self.runs if run["status"]["state"] in states]

    def abort_run(self, uid, project, status_text):
        import mlrun.errors

        if self.refuse:
            raise mlrun.errors.MLRunBadRequestError("no")
        self.ended.append(uid)


def attempt(uid, start, state="running", kind="job"):
    return {"metadata": {"uid": uid, "labels": {"kind": kind}}, "status": {"state": state, "start_time": start}}


RUNS = [
    attempt("done", "10:00", "error"),
    attempt("old", "10:01"),
    attempt("new", "10:02"),
    attempt("newer", "10:03"),
    attempt("here", "10:00", kind="local"),
]


def test_an_earlier_attempt_that_still_runs_is_ended(monkeypatch) -> None:
    database = Database(*RUNS)
    monkeypatch.setattr(stage.mlrun, "get_run_db", lambda: database)
    stage.end_earlier_attempts(context())
    assert database.ended == ["old"]


def test_no_attempt_starts_while_another_cannot_be_ended(monkeypatch) -> None:
    monkeypatch.setattr(stage.mlrun, "get_run_db", lambda: Database(*RUNS, refuse=True))
    with pytest.raises(NetopsError, match="an earlier attempt"):
        stage.end_earlier_attempts(context())


@pytest.mark.parametrize("name", ["deploy", "features", "generate", "ingest", "score", "selection", "train"])
def test_every_component_is_a_stage_with_its_own_parameters(name) -> None:
    from importlib import import_module

    module = import_module(f"components.{name}")
    handler = getattr(module, "select" if name == "selection" else name)
    assert inspect.unwrap(handler) is not handler
    assert next(iter(inspect.signature(handler).parameters)) == "context"  # by it MLRun hands over the context
