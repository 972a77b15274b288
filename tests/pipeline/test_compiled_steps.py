"""What reaches the cluster in each step of a workflow: function, resources, secrets, service, artifacts."""

import time

import pytest
import yaml

from netops.cli.main import run
from netops.config.binding import bind

from .conftest import ROOT, environment_of, function_of, steps

SECRET = {"secretKeyRef": {"name": "store", "key": "AWS_SECRET_ACCESS_KEY"}}
PLAIN = {"aws_access_key": "AKIA", "aws_secret_key": "in plain text", "endpoint_url": "http://store:9000"}


@pytest.mark.parametrize("workflow", ["main", "retrain", "score"])
def test_every_step_carries_its_function_with_what_the_stage_asks_for(compiled, workflow) -> None:
    from mlrun.run import new_function

    from netops.cluster.settings import read_cluster_settings

    settings = read_cluster_settings()
    for name, template in steps(compiled(workflow)).items():
        assert "-f" not in template["container"]["command"], f"{name} runs what a database holds under its name"
        stage = settings.stage(template["metadata"]["labels"]["mlrun/function"])
        function = new_function(runtime=function_of(template), kfp=True)  # as `mlrun run --kfp` makes it
        assert function.kind == "job"
        assert function.spec.image == settings.image
        assert function.spec.resources == {
            "requests": {"memory": stage.memory, "cpu": stage.cpu},
            "limits": {"memory": stage.memory},
        }
        assert function.spec.state_thresholds["executing"] == f"{stage.timeout // 10**9}s"
        assert function.spec.state_thresholds["image_pull_backoff"] == "5m"


def test_the_function_of_a_step_is_the_stage_of_the_project(compiled) -> None:
    import base64

    for name, template in steps(compiled("main")).items():
        function = function_of(template)
        code = base64.b64decode(function["spec"]["build"]["functionSourceCode"]).decode()
        file = {"select": "selection"}.get(function["metadata"]["name"], function["metadata"]["name"])
        assert code == (ROOT / "components" / f"{file}.py").read_text(), name
        assert function["spec"]["default_handler"] == function["metadata"]["name"]


def test_secrets_nodes_and_resources_of_a_cluster_of_ones_own(compile_for) -> None:
    document = compile_for(
        image="r/netops:2",
        secrets=["store:AWS_SECRET_ACCESS_KEY"],
        auto_mount=False,
        stages={"train": {"cpu": "3", "memory": "6Gi", "node_selector": {"pool": "large"}}},
    )
    for name, template in steps(document).items():
        spec = function_of(template)["spec"]
        assert spec["env"] == [{"name": "AWS_SECRET_ACCESS_KEY", "valueFrom": SECRET}]
        assert spec["disable_auto_mount"] is True
        assert spec["image"] == "r/netops:2"
        assert spec["node_selector"] == ({"pool": "large"} if name.startswith("train") else {})
    requests = function_of(steps(document)["train-xgboost"])["spec"]["resources"]["requests"]
    assert requests == {"memory": "6Gi", "cpu": "3"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"requirements": ["s3fs"]}, "only the service builds images"),
        ({"secrets": ["store:KEY"], "auto_mount": True}, "set auto_mount: false"),
    ],
)
def test_what_a_compiled_file_cannot_keep_is_refused(home, tmp_path, capsys, changes, message) -> None:
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(changes))
    assert run(["compile", "--out", str(tmp_path / "x.yaml"), "--config", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "address"),
    [({}, "http://mlrun-api:8080"), ({"service": "http://mlrun.tools:80"}, "http://mlrun.tools:80")],
)
def test_every_step_finds_the_service(compile_for, changes, address) -> None:
    for name, template in steps(compile_for(**changes)).items():
        assert environment_of(template)["MLRUN_DBPATH"] == address, name


def test_the_artifacts_of_every_run_have_a_folder_of_their_own(compile_for) -> None:
    for name, template in steps(compile_for(artifact_path="s3://bucket/{{project}}/")).items():
        assert environment_of(template)["MLRUN_ARTIFACT_PATH"] == "s3://bucket/netops/{{workflow.uid}}", name


def test_a_service_that_is_away_is_not_asked(home, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MLRUN_DBPATH", "http://127.0.0.1:9")
    started = time.monotonic()
    assert run(["compile", "--out", str(tmp_path / "x.yaml"), "--workflow", "score"]) == 0
    assert time.monotonic() - started < 20  # asked, it would be 45 s
    assert steps(yaml.safe_load((tmp_path / "x.yaml").read_text()))


@pytest.fixture
def offered(monkeypatch):
    """A service that offers its functions the keys of its store, in plain text."""
    import base64
    import json

    import mlrun

    encoded = base64.b64encode(json.dumps(PLAIN).encode()).decode()
    storage = mlrun.mlconf._cfg["storage"]
    monkeypatch.setitem(storage, "auto_mount_type", "s3")
    monkeypatch.setitem(storage, "auto_mount_params", encoded)


def equipped(**changes):
    from mlrun.run import new_function

    from netops.cluster.equipment import equip_function
    from netops.cluster.settings import ClusterSettings

    settings = bind(ClusterSettings, changes, "cluster.yaml")
    function = new_function("train", project="netops", kind="job", image="x")
    for _ in range(2):  # a function of the project is equipped when it is loaded, and in each step
        equip_function(function, settings.stage("train"), settings)
    return function


def variables(function):
    """Give what the pod would see, once MLRun's client has prepared the function for its start."""
    function.try_auto_mount_based_on_config()
    return {v["name"]: v.get("value") or v.get("valueFrom") for v in function.to_dict()["spec"].get("env", [])}


def test_a_secret_is_never_in_the_function(home, offered) -> None:
    found = equipped(secrets=["store:AWS_SECRET_ACCESS_KEY", "store:AWS_ACCESS_KEY_ID"])
    names = variables(found)
    assert names["AWS_SECRET_ACCESS_KEY"] == SECRET
    assert names["AWS_ENDPOINT_URL_S3"] == "http://store:9000"
    assert "in plain text" not in str(found.to_dict())


def test_no_auto_mount_means_none(home, offered) -> None:
    assert variables(equipped(auto_mount=False)) == {}


def test_what_the_service_mounts_is_added_when_the_stage_starts(home, offered) -> None:
    function = equipped()
    assert "in plain text" not in str(function.to_dict())
    assert variables(function)["AWS_SECRET_ACCESS_KEY"] == "in plain text"


def test_mlruns_project_adds_nothing_to_the_functions(home, offered) -> None:
    from mlrun.projects.pipelines import FunctionsDict

    from netops.workflows.project import load_project

    project = load_project()
    assert "in plain text" not in str([function.to_dict() for function in FunctionsDict(project).values()])


def test_the_image_in_the_clone_is_not_the_remote_of_git(home) -> None:
    from netops.cluster.equipment import apply_locations
    from netops.cluster.settings import ClusterSettings
    from netops.workflows.project import load_project

    project = load_project()
    project.spec.source = "https://git.example/fork.git#refs/heads/main"
    apply_locations(project, bind(ClusterSettings, {"source": "/opt/netops"}, "cluster.yaml"))
    assert project.spec.source == "/opt/netops"
