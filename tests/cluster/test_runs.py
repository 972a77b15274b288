"""Runs on a cluster: what their pods are given, that they keep out of each other's way, stop and go on."""

import pytest

from tests.cluster.testbed import STAGE, Testbed, ours, until

pytestmark = [pytest.mark.timeout(5400), pytest.mark.slow]

FIRST, SECOND = ours("cluster-a"), ours("cluster-b")
STEPS = {"generate", "features", "train-sklearn", "train-xgboost", "select", "deploy"}
CANCELED = ("aborted", "canceled")


@pytest.fixture(scope="module")
def two(testbed: Testbed) -> tuple[str, str]:
    """Submit two networks at once and wait for both."""
    runs = testbed.submit(FIRST), testbed.submit(SECOND, "--set", "fleet.devices=20")
    for run in runs:
        assert testbed.ended(run) == "completed"
    return runs


def test_every_step_succeeds_and_leaves_a_champion(testbed, two) -> None:
    for run in two:
        steps = testbed.steps(run)
        assert set(steps) == STEPS
        assert {record["status"]["state"] for record in steps.values()} == {"completed"}
    networks = {row["network"] for row in testbed.rows("models", "list") if row.get("champion")}
    assert {FIRST, SECOND} <= networks


def test_the_pods_of_the_stages_have_their_resources(testbed, two) -> None:
    pods = testbed.pods(two[0])
    assert set(pods) == STEPS
    for [pod] in pods.values():
        [container] = pod["spec"]["containers"]
        assert container["image"].endswith(testbed.image)
        assert container["resources"]["requests"] == {"cpu": STAGE["cpu"], "memory": STAGE["memory"]}
        assert container["resources"]["limits"]["memory"] == STAGE["memory"]


def test_the_pods_of_the_stages_have_their_environment(testbed, two) -> None:
    for [pod] in testbed.pods(two[0]).values():
        [container] = pod["spec"]["containers"]
        variables = {variable["name"]: variable for variable in container["env"]}
        assert variables["MLRUN_DBPATH"]["value"].startswith("http")
        if testbed.store_inside:
            key = variables["AWS_SECRET_ACCESS_KEY"]
            assert key["valueFrom"]["secretKeyRef"]["key"] == "AWS_SECRET_ACCESS_KEY"
            assert not key.get("value")


def test_concurrent_runs_have_separate_artifacts(testbed, two) -> None:
    first, second = (set(testbed.artifacts_of(run).values()) for run in two)
    for run in two:
        steps = {step for step, _ in testbed.artifacts_of(run)}
        assert steps == STEPS - {"deploy"}, "each stage but the last leaves something"
    assert not first & second
    for run in two:
        assert all(run in address for address in testbed.artifacts_of(run).values())
    devices = [testbed.steps(run)["generate"]["status"]["results"]["devices"] for run in two]
    assert devices == [16, 20]


def test_a_canceled_run_stops_and_can_be_resumed(testbed) -> None:
    run = testbed.submit(ours("cluster-stopped"))
    until(lambda: _running(testbed, run, "features"), 900, "no pod of the features is running")
    assert "cancel" in testbed.netops("runs", "cancel", run)
    until(lambda: not _running(testbed, run), 120, "pods of the stages go on")
    assert until(
        lambda: testbed.state(run) in ("aborted", "canceled") and testbed.state(run), 120, "it is not canceled"
    )
    generated = testbed.steps(run)["generate"]["metadata"]["uid"]

    testbed.netops("runs", "retry", run)
    until(lambda: testbed.state(run) not in (*CANCELED, ""), 120, "it has not been taken up again")
    assert testbed.ended(run) == "completed"
    steps = testbed.steps(run)
    assert set(steps) == STEPS
    assert steps["generate"]["metadata"]["uid"] == generated, "what had finished was made again"


def test_a_run_that_fails_says_which_pod_and_why(testbed) -> None:
    process = testbed.start(
        "submit", "--watch", "--workflow", "retrain", "--name", ours("cluster-broken"), "--telemetry",
        f"{testbed.artifacts}/nothing/here.parquet",
    )  # fmt: skip
    out, err = process.communicate(timeout=1500)
    assert process.returncode == 1, (out, err)
    assert "ingest" in err.lower()
    assert "nothing/here.parquet" in err


def _running(testbed: Testbed, run: str, step: str = "") -> bool:
    pods = testbed.pods(run)
    chosen = pods.get(step, []) if step else [pod for ours in pods.values() for pod in ours]
    return any(pod["status"]["phase"] == "Running" for pod in chosen)
