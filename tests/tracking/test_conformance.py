"""What MLRun's public client promises, on the embedded run database and on a service alike."""

import contextlib
import datetime
import os

import mlrun
import mlrun.errors
import pytest
from mlrun.common.runtimes.constants import RunStates

NOW = datetime.datetime.now(datetime.UTC)
HOUR = datetime.timedelta(hours=1)

# --- projects ---------------------------------------------------------------------------------------------------


def test_a_project_is_found_again(project):
    again = mlrun.get_or_create_project(project.name, project.spec.context)
    assert again.metadata.name == project.name
    assert {"generate", "train"} <= {function["name"] for function in again.to_dict()["spec"]["functions"]}
    assert project.name in mlrun.get_run_db().list_projects()
    assert project.name in {found.name for found in mlrun.get_run_db().list_projects(format_="full")}


def test_a_project_is_made_once_and_changed(client, tmp_path):
    database, name = mlrun.get_run_db(), f"made-once-{os.getpid()}"
    made = mlrun.new_project(name, str(tmp_path), save=False)
    made.metadata.labels = {"team": "core"}
    database.create_project(made)
    with pytest.raises(mlrun.errors.MLRunConflictError):
        database.create_project(made)
    assert database.patch_project(name, {"spec": {"description": "for a while"}}).spec.description
    assert name in database.list_projects(labels=["team=core"])
    assert name not in database.list_projects(labels={"team": "edge"})


def test_a_deleted_project_no_longer_exists(with_a_cluster, client, tmp_path):
    database = mlrun.get_run_db()
    database.create_project(mlrun.new_project("short-lived", str(tmp_path), save=False))
    database.delete_project("short-lived")
    with pytest.raises(mlrun.errors.MLRunNotFoundError):
        database.get_project("short-lived")


def test_a_project_that_holds_something_is_deleted_only_with_all_of_it(with_a_cluster, client, tmp_path):
    made = mlrun.get_or_create_project("full-one", str(tmp_path))
    made.log_artifact("thing", body="x", format="txt")
    with pytest.raises(mlrun.errors.MLRunPreconditionFailedError):
        mlrun.get_run_db().delete_project("full-one")
    mlrun.get_run_db().delete_project("full-one", "cascade")
    assert "full-one" not in mlrun.get_run_db().list_projects()


# --- functions --------------------------------------------------------------------------------------------------


def test_functions_have_versions_and_tags(project):
    database, name = mlrun.get_run_db(), project.name
    first, second = (
        mlrun.code_to_function("worker", filename=f"{project.spec.context}/steps.py", kind="job", image=image)
        for image in ("one", "two")
    )
    hashes = [
        database.store_function(function.to_dict(), "worker", name, tag="prod", versioned=True)
        for function in (first, second)
    ]
    assert hashes[0] != hashes[1]
    assert database.get_function("worker", name, tag="prod")["spec"]["image"] == "two"
    assert database.get_function("worker", name, hash_key=hashes[0])["spec"]["image"] == "one"
    assert database.get_function("worker", name, tag="prod")["metadata"]["tag"] == "prod"
    assert database.store_function(second.to_dict(), "worker", name, tag="prod", versioned=True) == hashes[1]
    versions = database.list_functions("worker", name)
    assert sorted(version["metadata"].get("tag") or "" for version in versions) == ["", "prod"]
    assert len(database.list_functions("worker", name, tag="prod")) == 1
    assert [found.metadata.name for found in project.list_functions("worker", tag="prod")] == ["worker"]
    assert database.list_functions("~ORK", name, tag="*")
    database.delete_function("worker", name)
    assert not database.list_functions("worker", name)
    with pytest.raises(mlrun.errors.MLRunNotFoundError):
        database.get_function("worker", name, tag="prod")


def test_a_function_is_imported_from_the_database(project):
    function = mlrun.code_to_function("kept", filename=f"{project.spec.context}/steps.py", kind="job", image="i")
    function.metadata.project = project.name
    function.metadata.labels["team"] = "core"
    assert function.save(tag="v1").startswith("db://")
    assert mlrun.import_function(f"db://{project.name}/kept:v1").spec.image == "i"
    found = mlrun.get_run_db().list_functions(project=project.name, labels={"team": "core"})
    assert {version["metadata"]["name"] for version in found} == {"kept"}


# --- runs -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generated(project):
    return project.run_function(
        "generate", handler="generate", params={"rows": 7}, local=True, labels={"team": "core"}
    )


@pytest.fixture(scope="module")
def trained(project, generated):
    return project.run_function(
        "train",
        name="train-x",
        handler="train",
        inputs={"data": generated.outputs["data"]},
        params={"family": "x", "steps": 3},
        local=True,
    )


def test_a_run_has_state_results_and_outputs(project, generated, trained):
    assert (generated.state(), trained.state()) == ("completed", "completed")
    assert trained.outputs["rows"] == 7
    assert trained.outputs["model"].startswith(f"store://models/{project.name}/train-x_model")
    remaining = mlrun.get_run_db().read_run(trained.uid(), project.name)
    assert remaining["status"]["results"] == {"score": 0.5, "rows": 7}
    assert remaining["status"]["artifact_uris"].keys() == {"model"}
    assert remaining["metadata"]["labels"]["family"] == "x"
    assert remaining["spec"]["parameters"]["steps"] == 3


@pytest.mark.parametrize(
    "filters",
    [
        {"name": "generate-generate"},
        {"name": "~ENERATE-GEN"},
        {"labels": "team=core"},
        {"labels": ["team"]},
        {"labels": {"team": "core", "kind": None}},
        {"name": "generate-generate", "states": [RunStates.completed, RunStates.error]},
        {
            "labels": "team=core",
            "start_time_from": datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1),
        },
        {
            "labels": "team",
            "last_update_time_to": datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1),
        },
    ],
)
def test_runs_are_found(project, generated, filters):
    found = project.list_runs(**filters)
    assert [run["metadata"]["uid"] for run in found] == [generated.uid()]


@pytest.mark.parametrize(
    "filters",
    [
        {"name": "generate"},
        {"labels": "team=edge"},
        {"labels": ["team=core", "nothing"]},
        {"labels": "team", "start_time_to": NOW - HOUR},
        {"uid": "nothing"},
    ],
)
def test_runs_are_filtered_out(project, generated, filters):
    assert not project.list_runs(**filters)


def test_runs_are_filtered_by_state(as_new_as_the_client, project, generated):
    name = generated.metadata.name
    assert project.list_runs(name=name, states=[RunStates.completed, RunStates.error])
    assert not project.list_runs(name=name, states=[RunStates.error, RunStates.running])


def test_runs_are_listed_by_uid_and_in_order(project, generated, trained):
    uids = [generated.uid(), trained.uid()]
    assert [run["metadata"]["uid"] for run in project.list_runs(uid=uids)] == uids[::-1]
    assert {run["metadata"]["uid"] for run in project.list_runs(uid=uids, sort=False)} == set(uids)


def test_the_list_without_filters_shows_the_last_run_of_each_name(project):
    runs = [project.run_function("generate", name="again", handler="generate", local=True) for _ in range(3)]
    listed = [run["metadata"]["uid"] for run in project.list_runs() if run["metadata"]["name"] == "again"]
    assert listed == [runs[-1].uid()]
    assert len(project.list_runs(name="again")) == 3
    parts = mlrun.get_run_db().list_runs(
        project=project.name,
        name="again",
        partition_by="name",
        rows_per_partition=2,
        partition_sort_by="created",
        partition_order="asc",
    )
    assert {run["metadata"]["uid"] for run in parts} == {run.uid() for run in runs[:2]}


def test_runs_come_in_pages(project):
    pages, token = [], None
    while True:
        page, token = project.paginated_list_runs(name="again", page_size=2, page_token=token)
        pages.append(len(page))
        if not token:
            break
    assert sum(pages) == 3


def test_a_failed_run_is_an_error_with_its_reason(project):
    with pytest.raises(mlrun.runtimes.utils.RunError):
        project.run_function("generate", name="broken", handler="fail", local=True)
    (run,) = project.list_runs(name="broken")
    assert run["status"]["state"] == "error"
    assert "no luck" in run["status"]["error"]


def test_hyper_parameters_make_iterations(project):
    run = project.run_function(
        "generate",
        name="grid",
        handler="score",
        hyperparams={"p": [2, 4, 3]},
        selector="max.score",
        local=True,
    )
    assert run.outputs["best_iteration"] == 2
    assert run.outputs["score"] == 40
    assert len(project.list_runs(name="grid")) == 1
    iterations = project.list_runs(name="grid", iter=True)
    assert sorted(found["metadata"].get("iteration", 0) for found in iterations) == [0, 1, 2, 3]
    second = mlrun.get_run_db().read_run(run.uid(), project.name, iter=2)
    assert second["status"]["results"]["score"] == 40
    notes = project.list_artifacts("grid_note", tag="*", iter=3)
    assert notes
    best = project.list_artifacts("grid_note", tag="latest", best_iteration=True)
    assert [artifact["metadata"]["iter"] for artifact in best] == [2]
    assert project.get_artifact("grid_note", iter=0).metadata.iter == 2
    assert mlrun.get_dataitem(f"store://artifacts/{project.name}/grid_note#1:latest").get() == b"p=2"


def test_a_run_is_stored_changed_and_deleted(project):
    database = mlrun.get_run_db()
    document = {
        "metadata": {"name": "by-hand", "uid": "by-hand-1", "labels": {"kind": "job", "a": "b"}},
        "spec": {},
    }
    database.store_run(document | {"status": {"state": "running"}}, "by-hand-1", project.name)
    database.update_run({"status.results": {"x": 1}}, "by-hand-1", project.name)
    (run,) = database.list_runs(project=project.name, labels="a=b")
    assert run["status"]["results"] == {"x": 1}
    with pytest.raises(mlrun.errors.MLRunBadRequestError):
        database.del_run("by-hand-1", project.name)
    database.update_run({"status.state": "completed"}, "by-hand-1", project.name)
    database.del_run("by-hand-1", project.name)
    with pytest.raises(mlrun.errors.MLRunNotFoundError):
        database.read_run("by-hand-1", project.name)
    with pytest.raises(mlrun.errors.MLRunNotFoundError):
        database.update_run({"status.state": "completed"}, "by-hand-1", project.name)


def test_runs_are_deleted_by_filter(project):
    database = mlrun.get_run_db()
    for uid in ("gone-1", "gone-2"):
        meta = {"name": "to-delete", "uid": uid, "labels": {"gone": "soon"}}
        database.store_run({"metadata": meta, "spec": {}, "status": {"state": "completed"}}, uid, project.name)
    assert len(project.list_runs(labels="gone=soon")) == 2
    database.del_runs(project=project.name, labels="gone=soon")
    assert not project.list_runs(labels="gone=soon")


def test_an_ended_run_is_not_aborted(project, generated):
    with contextlib.suppress(mlrun.errors.MLRunHTTPStatusError):  # the service may refuse later, in the background
        mlrun.get_run_db().abort_run(generated.uid(), project.name)
    assert mlrun.get_run_db().read_run(generated.uid(), project.name)["status"]["state"] == "completed"


# --- logs -------------------------------------------------------------------------------------------------------


def test_the_log_of_a_run_holds_what_it_printed_and_logged(project, trained, capsys):
    state, body = mlrun.get_run_db().get_log(trained.uid(), project.name)
    assert state == "completed"
    assert [f"x step {step}" in body.decode() for step in range(3)] == [True] * 3
    assert "x logs 2" in body.decode()
    assert mlrun.get_run_db().get_log(trained.uid(), project.name, offset=2, size=4)[1] == body[2:6]
    assert mlrun.get_run_db().get_log_size(trained.uid(), project.name) == len(body)
    capsys.readouterr()
    assert trained.logs(watch=False) == ("completed", len(body))
    assert capsys.readouterr().out.strip() == body.decode().strip()


def test_logs_are_appended_or_overwritten(project, generated):
    database, uid = mlrun.get_run_db(), generated.uid()
    database.store_log(uid, project.name, b"one\n")
    database.store_log(uid, project.name, "zwei ü\n".encode(), append=True)
    assert database.get_log(uid, project.name)[1].decode() == "one\nzwei ü\n"
    assert database.get_log(uid, project.name, offset=2, size=5)[1] == b"e\nzwe"
    assert database.get_log(uid, project.name, offset=100)[1] == b""


# --- artifacts --------------------------------------------------------------------------------------------------


def test_artifacts_have_versions_tags_and_latest(project):
    one = project.log_artifact("letter", body="one", format="txt", tag="v1", labels={"lang": "en"})
    two = project.log_artifact("letter", body="two", format="txt", tag="v2", target_path=one.target_path + "2")
    assert one.uid != two.uid
    assert project.get_artifact("letter").uid == two.uid
    assert project.get_artifact("letter", tag="v1").uid == one.uid
    assert project.get_artifact("letter", uid=one.uid).uid == one.uid
    assert project.get_artifact("letter", tag="v1", tree=one.tree).metadata.tree == one.tree
    listed = project.list_artifacts("letter", tag="*")
    assert sorted(found["metadata"]["tag"] for found in listed) == ["latest", "v1", "v2"]
    assert [found["metadata"]["uid"] for found in project.list_artifacts("letter", tag="v1")] == [one.uid]
    assert {found["metadata"]["uid"] for found in project.list_artifacts("letter", labels="lang=en")} == {one.uid}
    with pytest.raises(mlrun.errors.MLRunNotFoundError):
        project.get_artifact("letter", tag="v3")


def test_an_artifact_logged_again_is_the_same_version(project):
    first, second = (project.log_artifact("same", body="x", format="txt", tag="t") for _ in range(2))
    uids = {found["metadata"]["uid"] for found in project.list_artifacts("same", tag="t")}
    assert uids == {second.uid}
    assert project.get_artifact("same", tag="t").uid == second.uid
    assert first.key == second.key


@pytest.mark.parametrize("replace", [False, True])
def test_tags_are_added_moved_and_removed(project, replace):
    key = f"tagged-{replace}"
    artifact = project.log_artifact(key, body="x", format="txt", tag="first")
    database = mlrun.get_run_db()
    database.tag_artifacts(artifact, project.name, "second", replace=replace)
    tags = {found["metadata"]["tag"] for found in project.list_artifacts(key, tag="*")}
    assert tags == ({"second"} if replace else {"first", "latest", "second"})
    assert "second" in database.list_artifact_tags(project.name)
    database.delete_artifacts_tags(artifact, project.name, "second")
    assert not project.list_artifacts(key, tag="second")


def test_models_are_listed_separately_from_other_artifacts(project, trained):
    models = project.list_models("train-x_model", tag="latest")
    assert [model.kind for model in models] == ["model"]
    assert models[0].metrics == {"score": 0.5}
    assert models[0].producer["kind"] == "run"
    assert models[0].producer["uri"] == f"{project.name}/{trained.uid()}"
    kinds = {artifact["kind"] for artifact in project.list_artifacts(tag="latest", category="model")}
    assert kinds == {"model"}
    assert "model" not in {artifact["kind"] for artifact in project.list_artifacts(category="other")}
    assert {artifact["kind"] for artifact in project.list_artifacts(kind="dataset")} == {"dataset"}


def test_artifacts_of_a_run_are_found_by_tree_and_producer(project, trained):
    assert {found["metadata"]["key"] for found in project.list_artifacts(tree=trained.uid())} == {"model"}
    by_uri = mlrun.get_run_db().list_artifacts(
        project=project.name, tree=trained.uid(), producer_uri=f"{project.name}/{trained.uid()}"
    )
    assert {found["metadata"]["key"] for found in by_uri} == {"model"}


def test_every_form_of_store_uri_leads_to_the_artifact(project, trained):
    base = f"store://models/{project.name}/train-x_model"
    model = project.get_artifact("train-x_model")
    assert model.uri.startswith(base)
    for suffix in ("", ":latest", "#0", "#0:latest", f"@{model.tree}", f"#0:latest@{model.tree}^{model.uid}"):
        assert mlrun.datastore.get_store_resource(base + suffix).uid == model.uid
    assert mlrun.get_dataitem(f"store://artifacts/{project.name}/train-x_model#0:latest^{model.uid}").url
    path, artifact, _ = mlrun.artifacts.get_model(base)
    assert artifact.uid == model.uid
    with open(path, "rb") as file:
        assert file.read() == b"x"


def test_a_dataset_is_read_back(project, generated):
    assert len(mlrun.get_dataitem(generated.outputs["data"]).as_df()) == 7
    dataset = project.get_artifact("generate-generate_data")
    assert dataset.kind == "dataset"
    assert dataset.to_dataitem().as_df().columns.tolist() == ["a"]


def test_artifacts_are_deleted_by_version_and_by_name(project):
    remaining = project.log_artifact("doomed", body="a", format="txt", tag="a")
    project.log_artifact("doomed", body="b", format="txt", tag="b", target_path=remaining.target_path + "2")
    project.delete_artifact(project.get_artifact("doomed", tag="b"))
    assert {found["metadata"]["uid"] for found in project.list_artifacts("doomed", tag="*")} == {remaining.uid}
    mlrun.get_run_db().del_artifacts("doomed", project.name)
    assert not project.list_artifacts("doomed", tag="*")


# --- workflows --------------------------------------------------------------------------------------------------


def test_a_workflow_of_the_local_engine_passes_artifacts_and_ties_its_steps_together(project):
    status = project.run("main", engine="local", arguments={"rows": 5})
    assert status.state == "Succeeded"
    steps = project.list_runs(labels=f"workflow={status.run_id}")
    assert {step["metadata"]["name"] for step in steps} == {"generate-generate", "train-sklearn", "train-xgboost"}
    assert {step["status"]["results"]["rows"] for step in steps} == {5}
    models = project.list_models(tree=status.run_id)
    assert {model.spec.db_key for model in models} == {"train-sklearn_model", "train-xgboost_model"}
    assert {model.labels["workflow-id"] for model in models} == {status.run_id}


def test_the_status_of_a_workflow_counts_its_failed_steps(as_new_as_the_client, project):
    status = project.run("main", engine="local")
    state, failed, text = project.get_run_status(status)
    assert (state, failed) == ("Succeeded", 0)
    assert status.run_id in text
