"""Runs on a cluster: what their pods are given, that they keep out of each other's way, stop and go on."""

import pytest

from tests.cluster.place import STAGE, Place, ours, until

pytestmark = [pytest.mark.timeout(5400), pytest.mark.slow]

FIRST, SECOND = ours("cluster-a"), ours("cluster-b")
STEPS = {"generate", "features", "train-sklearn", "train-xgboost", "select", "deploy"}
CANCELED = ("aborted", "canceled")


@pytest.fixture(scope="module")
def two(place: Place) -> tuple[str, str]:
    """Submit two networks at once and wait for both."""
    runs = place.submit(FIRST), place.submit(SECOND, "--set", "fleet.devices=20")
    for run in runs:
        assert place.ended(run) == "completed"
    return runs


def test_every_step_succeeds_and_leaves_a_champion(place, two) -> None:
    for run in two:
        steps = place.steps(run)
        assert set(steps) == STEPS
        assert {record["status"]["state"] for record in steps.values()} == {"completed"}
    networks = {row["network"] for row in place.rows("models", "list") if row.get("champion")}
    assert {FIRST, SECOND} <= networks


def test_the_pods_of_the_stages_have_their_resources(place, two) -> None:
    pods = place.pods(two[0])
    assert set(pods) == STEPS
    for [pod] in pods.values():
        [container] = pod["spec"]["containers"]
        assert container["image"].endswith(place.image)
        assert container["resources"]["requests"] == {"cpu": STAGE["cpu"], "memory": STAGE["memory"]}
        assert container["resources"]["limits"]["memory"] == STAGE["memory"]


def test_the_pods_of_the_stages_have_their_environment(place, two) -> None:
    for [pod] in place.pods(two[0]).values():
        [container] = pod["spec"]["containers"]
        variables = {variable["name"]: variable for variable in container["env"]}
        assert variables["MLRUN_DBPATH"]["value"].startswith("http")
        if place.store_inside:
            key = variables["AWS_SECRET_ACCESS_KEY"]
            assert key["valueFrom"]["secretKeyRef"]["key"] == "AWS_SECRET_ACCESS_KEY"
            assert not key.get("value")


def test_two_runs_at_once_keep_their_artifacts_apart(place, two) -> None:
    first, second = (set(place.artifacts_of(run).values()) for run in two)
    for run in two:
        steps = {step for step, _ in place.artifacts_of(run)}
        assert steps == STEPS - {"deploy"}, "each stage but the last leaves something"
    assert not first & second
    for run in two:
        assert all(run in address for address in place.artifacts_of(run).values())
    devices = [place.steps(run)["generate"]["status"]["results"]["devices"] for run in two]
    assert devices == [16, 20]


def test_a_run_that_is_canceled_stops_and_goes_on_when_it_is_taken_up_again(place) -> None:
    run = place.submit(ours("cluster-stopped"))
    until(lambda: _running(place, run, "features"), 900, "no pod of the features is running")
    assert "cancel" in place.netops("runs", "cancel", run)
    until(lambda: not _running(place, run), 120, "pods of the stages go on")
    assert until(
        lambda: place.state(run) in ("aborted", "canceled") and place.state(run), 120, "it is not canceled"
    )
    generated = place.steps(run)["generate"]["metadata"]["uid"]

    place.netops("runs", "retry", run)
    until(lambda: place.state(run) not in (*CANCELED, ""), 120, "it has not been taken up again")
    assert place.ended(run) == "completed"
    steps = place.steps(run)
    assert set(steps) == STEPS
    assert steps["generate"]["metadata"]["uid"] == generated, "what had finished was made again"


def test_a_run_that_fails_says_which_pod_and_why(place) -> None:
    process = place.start(
        "submit", "--watch", "--workflow", "retrain", "--name", ours("cluster-broken"), "--telemetry",
        f"{place.artifacts}/nothing/here.parquet",
    )  # fmt: skip
    out, err = process.communicate(timeout=1500)
    assert process.returncode == 1, (out, err)
    assert "ingest" in err.lower()
    assert "nothing/here.parquet" in err


def _running(place: Place, run: str, step: str = "") -> bool:
    pods = place.pods(run)
    chosen = pods.get(step, []) if step else [pod for ours in pods.values() for pod in ours]
    return any(pod["status"]["phase"] == "Running" for pod in chosen)
