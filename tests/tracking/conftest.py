"""One process imports MLRun once; each module of tests gets a home folder, and so a database, of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVICE = "NETOPS_TEST_MLRUN_API"
CLUSTER = "NETOPS_TEST_MLRUN_CLUSTER"  # set, with any value, where that service runs on Kubernetes


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("NETOPS_HOME", str(folder))
        patch.delenv("MLRUN_DBPATH", raising=False)
        yield folder


@pytest.fixture(scope="module")
def embedded(home: Path) -> Iterator[None]:
    from netops.tracking.install import install

    before = Path.cwd()
    assert install()
    yield
    os.chdir(before)


@pytest.fixture(scope="module", params=["embedded", "service"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MLRun's client with either run database behind it; gives the name of which."""
    if request.param == "embedded":
        request.getfixturevalue("embedded")
        yield "embedded"
        return
    address = os.environ.get(SERVICE)
    if not address:
        pytest.skip(f"{SERVICE} names no MLRun service")
    yield from _connected(address, tmp_path_factory.mktemp("artifacts"))


def _connected(address: str, artifacts: Path) -> Iterator[str]:
    import mlrun
    from mlrun.db.factory import RunDBFactory

    factory, config = RunDBFactory(), mlrun.mlconf
    stored = factory._run_db, factory._last_db_url, config.dbpath, config.artifact_path
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLRUN_DBPATH", address)
        config.dbpath, config.artifact_path = address, str(artifacts)
        mlrun.store_manager._db = None
        yield "service"
        mlrun.store_manager._db = None
        factory._run_db, factory._last_db_url, config.dbpath, config.artifact_path = stored


@pytest.fixture
def as_new_as_the_client(client: str) -> None:
    """Skip on a service that is older than the client, for what such a one does not have."""
    import mlrun

    if client == "service" and (version := mlrun.get_run_db().server_version) != mlrun.get_version():
        pytest.skip(f"the service ({version}) is older than the client ({mlrun.get_version()})")


@pytest.fixture
def with_a_cluster(client: str) -> None:
    """Skip on a service that has no Kubernetes, for what such a one cannot finish."""
    if client == "service" and not os.environ.get(CLUSTER):
        pytest.skip(f"{CLUSTER} does not say that the service has a cluster")


@pytest.fixture(scope="module")
def project(client: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A project with the functions of steps.py, and a workflow over them."""
    import mlrun

    folder = tmp_path_factory.mktemp("project")
    for name in ("steps.py", "workflow.py"):
        (folder / name).write_text((Path(__file__).parent / "data" / name).read_text())
    made = mlrun.get_or_create_project(f"conformance-{os.getpid()}", str(folder), user_project=False)
    for name in ("generate", "train"):
        made.set_function("steps.py", name, kind="job", image="mlrun/mlrun")
    made.set_workflow("main", "workflow.py")
    made.save()
    yield made
    if client == "embedded" or os.environ.get(CLUSTER):  # a service without a cluster cannot delete it
        mlrun.get_run_db().delete_project(made.name, "cascade")
