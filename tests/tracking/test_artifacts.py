"""What the embedded database does with artifacts beyond what is common to it and every service."""

import mlrun
import pytest


@pytest.fixture(scope="module")
def project(embedded, tmp_path_factory):
    return mlrun.get_or_create_project("artifacts", str(tmp_path_factory.mktemp("project")))


def test_artifacts_are_deleted_with_their_data(project, tmp_path):
    file = tmp_path / "data.txt"
    file.write_text("x")
    artifact = project.log_artifact("with-data", target_path=str(file))
    project.delete_artifact(artifact, deletion_strategy="data-force")
    assert not file.exists()
    assert not project.list_artifacts("with-data", tag="*")


def test_data_that_cannot_be_deleted_keeps_its_artifact_if_that_was_asked(project):
    artifact = project.log_artifact("no-data", target_path="nosuch://place/file")
    with pytest.raises(mlrun.errors.MLRunInternalServerError, match="the artifact is not deleted"):
        project.delete_artifact(artifact, deletion_strategy="data-force")
    assert project.list_artifacts("no-data")
    project.delete_artifact(artifact, deletion_strategy="data-optional")
    assert not project.list_artifacts("no-data")


def test_an_older_version_is_found_by_its_tree_alone(project, tmp_path):
    one = project.log_artifact("letter", body="one", format="txt", target_path=str(tmp_path / "one"))
    database = mlrun.get_run_db()
    database.store_artifact(
        "letter", one.to_dict() | {"metadata": {"key": "letter"}}, project=project.name, tree="t2"
    )
    assert project.get_artifact("letter").metadata.tree == "t2"
    assert project.get_artifact("letter", tree=one.tree).uid == one.uid
    assert mlrun.datastore.get_store_resource(f"store://artifacts/{project.name}/letter@{one.tree}").uid == one.uid


def test_children_are_found_by_their_parent(project):
    database = mlrun.get_run_db()
    child = {"metadata": {"key": "c"}, "spec": {"parent_uri": f"store://models/{project.name}/the.model#0:v1@t"}}
    database.store_artifact("c", child, project=project.name, tree="t")
    for parent in ("the.model", "the.model:v1", child["spec"]["parent_uri"]):
        assert len(database.list_artifacts(project=project.name, parent=parent, tag="latest")) == 1
    for parent in ("model", "the.model:v2", "the_model"):
        assert not database.list_artifacts(project=project.name, parent=parent)
