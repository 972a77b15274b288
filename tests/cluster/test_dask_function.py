"""What a run with a Dask cluster needs on Kubernetes, against the embedded run database."""

import mlrun
import pytest

from netops.cluster.dask_function import provide_dask
from netops.cluster.settings import read_cluster_settings, with_cluster
from netops.errors import UsageError
from netops.workflows.project import load_project
from netops.workflows.stages.dask import NAME

SHARED = {"artifact_path": "/shared/netops"}


def provide(scheduler: str | None = NAME, **changes) -> None:
    arguments = with_cluster({}, **changes)
    provide_dask(load_project(), read_cluster_settings(arguments["settings"]), scheduler)


def stored() -> dict:
    return mlrun.get_run_db().get_function(NAME, "netops")


def test_the_service_has_the_function_with_what_the_stages_get(database) -> None:
    provide(
        **SHARED, image="registry/netops:1", auto_mount=False, secrets=["keys:AWS_ACCESS_KEY_ID"],
        dask={"workers": 3, "cpu": "500m", "memory": "3Gi"},
    )  # fmt: skip
    spec = stored()["spec"]
    assert (stored()["kind"], spec["image"], spec["max_replicas"]) == ("dask", "registry/netops:1", 3)
    assert spec["worker_resources"]["requests"] == {"cpu": "500m", "memory": "3Gi"}
    assert spec["disable_auto_mount"]
    (variable,) = spec["env"]
    assert variable["valueFrom"]["secretKeyRef"]["name"] == "keys"


def test_a_running_cluster_is_kept_until_its_settings_change(database) -> None:
    provide(**SHARED)
    function = stored() | {"status": {"scheduler_address": "tcp://mlrun-dask.mlrun:8786"}}
    database.store_function(function, NAME, "netops", versioned=False)
    provide(**SHARED)
    assert stored()["status"]["scheduler_address"] == "tcp://mlrun-dask.mlrun:8786"
    provide(**SHARED, dask={"workers": 4})
    assert "scheduler_address" not in stored()["status"]


@pytest.mark.parametrize("scheduler", [NAME, "tcp://scheduler:8786"])
def test_workers_that_cannot_see_the_artifacts_are_refused(database, scheduler) -> None:
    with pytest.raises(UsageError, match=r"cannot read s3://mlrun/netops; set cluster\.artifact_path to a folder"):
        provide(scheduler, artifact_path="s3://mlrun/netops")


def test_other_runs_need_nothing(database) -> None:
    provide(None, artifact_path="s3://mlrun/netops")
    provide("theirs", **SHARED)
