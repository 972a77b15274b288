"""What a service that is away, too new, no MLRun at all, or somebody else's is answered with: one line."""

import pytest

from netops.cli.main import run
from netops.cluster.doctor import examine
from netops.errors import NetopsError
from netops.tracking import service
from tests.workflows.conftest import MODERN

pytestmark = pytest.mark.usefixtures("home")


def submitted(capsys, *options: str) -> str:
    """Submit, and give the one line that says why not."""
    capsys.readouterr()
    assert run(["submit", *options]) != 0
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_without_a_service_it_says_how_to_name_one(capsys, monkeypatch) -> None:
    monkeypatch.delenv("MLRUN_DBPATH", raising=False)
    assert "set MLRUN_DBPATH" in submitted(capsys, "--engine", "kfp")


def test_a_service_that_is_away(capsys, monkeypatch) -> None:
    monkeypatch.setenv("MLRUN_DBPATH", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9 is not reachable" in submitted(capsys)


@pytest.mark.parametrize("theirs", ["2.0.0", "1.15.0-rc1"])
def test_versions_that_do_not_fit(capsys, stand_in, theirs) -> None:
    stand_in({"client-spec": (200, MODERN | {"version": theirs})})
    line = submitted(capsys)
    assert theirs in line
    assert "do not work together" in line


@pytest.mark.parametrize("theirs", ["1.12.1", "1.8.0-dev", "1.14.0", "0.0.0+unstable", "main"])
def test_versions_that_match_or_are_unknown(theirs) -> None:
    assert theirs in service.check_versions(service.Service("http://x", {"version": theirs}))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, b"<html>"), "is no MLRun API"),
        ((200, {"hello": "world"}), "is no MLRun API"),
        ((404, {}), "is no MLRun API"),
        ((503, {}), "is no MLRun API"),
        ((401, {}), "refuses access"),
    ],
)
def test_something_else_answers(capsys, stand_in, answer, expected) -> None:
    stand_in({"client-spec": answer})
    assert expected in submitted(capsys)


def test_nothing_is_asked_of_a_workflow_without_its_source(capsys) -> None:
    assert "needs --telemetry" in submitted(capsys, "--workflow", "retrain")


def test_a_project_of_somebody_else_is_not_written_over(database, tmp_path) -> None:
    import mlrun

    project = mlrun.new_project("taken", str(tmp_path), save=False)
    project.spec.description, project.spec.owner = "churn", "ann"
    project.spec.workflows = [{"name": "nightly", "path": "x.py"}]
    database.store_project("taken", project.to_dict())
    with pytest.raises(NetopsError, match=r"'taken' is taken on the service, by ann \(churn\)"):
        service.refuse_foreign_project("taken", {"main"})
    service.refuse_foreign_project("taken", {"nightly"})
    service.refuse_foreign_project("free", {"main"})


@pytest.mark.parametrize("text", ["Back-off: ImagePullBackOff", "ErrImagePull", "image_pull_backoff exceeded"])
def test_an_image_that_the_cluster_does_not_get(text) -> None:
    assert "cannot get image r/netops:1: push it" in str(service.explain(RuntimeError(text), "r/netops:1"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [("ml-pipeline.mlrun.svc", "the MLRun service cannot reach ml-pipeline.mlrun.svc:8888"),
     ("mlrun.example", "MLRun service http://mlrun.example:8080 is not reachable")],
)  # fmt: skip
def test_unreachable_connections_are_reported_in_one_line(monkeypatch, host, expected) -> None:
    monkeypatch.setenv("MLRUN_DBPATH", "http://mlrun.example:8080")
    error = f"HTTPConnectionPool(host='{host}', port=8888): Max retries exceeded with url: /x (Caused by …"
    assert str(service.explain(RuntimeError(error))).startswith(expected)


def test_the_doctor_looks_at_the_whole_service(stand_in) -> None:
    expected = MODERN | {
        "namespace": "other",
        "kfp_url": "http://kfp",
        "nuclio_version": "",
        "artifact_path": "s3://b",
    }
    stand_in({"client-spec": (200, expected), "projects/*/pipelines": (200, {"runs": []})})
    found = {finding.check: finding for finding in examine()}
    assert {check: finding.ok for check, finding in found.items() if check in ("tracking", *service_checks())} == {
        "tracking": True,
        "namespace": False,
        "address inside": True,
        "kubeflow": True,
        "image": False,
        "artifact path": True,
        "nuclio": True,
    }
    assert "'other'" in found["namespace"].detail
    assert "proves the model in its own pod" in found["nuclio"].detail  # as docs/cluster.md has it
    assert "not reachable from here" in found["artifact path"].detail


def test_the_doctor_queries_the_backends_of_the_service(stand_in) -> None:
    expected = MODERN | {"kfp_url": "http://kfp", "nuclio_version": "1.15.0"}
    down = (400, {"detail": "connection refused"})
    stand_in({"client-spec": (200, expected), "projects/*/pipelines": down, "projects/netops/api-gateways": down})
    found = {finding.check: finding for finding in examine()}
    for check in ("kubeflow", "nuclio"):
        assert not found[check].ok
        assert "does not answer" in found[check].detail


def test_without_kubeflow_submit_and_doctor_say_the_same(capsys, stand_in) -> None:
    stand_in({"client-spec": (200, MODERN)})
    line = submitted(capsys)
    [found] = [finding for finding in examine() if finding.check == "kubeflow"]
    assert line == f"netops: {found.detail}"
    assert "set kfp_url" in line


def test_an_artifact_path_is_written_to_and_read(stand_in, tmp_path) -> None:
    path = f"file://{tmp_path}/{{{{project}}}}/{{{{run.uid}}}}"
    stand_in({"client-spec": (200, MODERN | {"artifact_path": path})})
    [found] = [finding for finding in examine() if finding.check == "artifact path"]
    assert found.ok
    assert "written to, and read" in found.detail
    assert list(tmp_path.rglob("_doctor*")) == []


def test_the_doctor_reports_a_client_newer_than_the_service() -> None:
    expected = service.check_versions(service.Service("http://x", {"version": "1.8.0"}))
    assert "MLRun does not support newer clients" in expected
    assert "newer" not in service.check_versions(service.Service("http://x", {"version": "1.13.0"}))


def test_the_doctor_warns_of_artifacts_in_a_folder(stand_in) -> None:
    stand_in({"client-spec": (200, MODERN | {"artifact_path": "/shared/netops"})})
    found = {finding.check: finding for finding in examine()}
    assert "mounts it" in found["artifact path"].detail


def service_checks():
    from netops.cluster.checks import SERVICE_CHECKS

    return SERVICE_CHECKS
