"""Other ways to a run: from telemetry in the store, by a schedule, and from a file compiled without the cluster."""

import datetime
import os

import httpx
import pytest
import yaml

from tests.cluster.testbed import Testbed, ours, small, until

pytestmark = [pytest.mark.timeout(5400), pytest.mark.slow]

SOURCE, NIGHTLY = ours("cluster-source"), ours("cluster-nightly")


@pytest.fixture(scope="module")
def telemetry(testbed: Testbed) -> str:
    """Let a run leave telemetry in the store and give its address."""
    run = testbed.submit(SOURCE)
    assert testbed.ended(run) == "completed"
    return testbed.artifacts_of(run)["generate", "telemetry"]


def test_it_learns_from_telemetry_in_the_store(testbed, telemetry) -> None:
    assert "://" in telemetry
    run = testbed.submit(ours("cluster-brought"), "--telemetry", telemetry, workflow="retrain")
    assert testbed.ended(run) == "completed"
    assert "ingest" in testbed.steps(run)


def test_the_champion_scores_telemetry_in_the_store(testbed, telemetry) -> None:
    run = testbed.submit(SOURCE, "--telemetry", telemetry, workflow="score")
    assert testbed.ended(run) == "completed"
    assert any(key == "risks" for _, key in testbed.artifacts_of(run))


def test_a_schedule_fires(testbed) -> None:
    due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=2)
    testbed.netops("schedule", "add", "--cron", f"{due.minute} * * * *", "--name", NIGHTLY,
                 "--as", NIGHTLY, *small())  # fmt: skip
    try:
        [schedule] = [row for row in testbed.rows("schedule", "list") if row["name"] == NIGHTLY]
        assert schedule["network"] == NIGHTLY
        run = until(lambda: _new_run(testbed, NIGHTLY), 900, "no run has begun", 10)
        assert testbed.ended(run) == "completed"
        assert {"generate", "select"} <= set(testbed.steps(run))
        assert testbed.pods(run)["generate"][0]["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "200m"
    finally:
        testbed.netops("schedule", "remove", NIGHTLY)


def _new_run(testbed: Testbed, network: str) -> str | None:
    """Find a workflow of a network, of whose steps the first is on record."""
    rows = [row for row in testbed.rows("runs", "list", "--limit", "200") if row["name"] == network]
    return next((row["run_id"] for row in rows if testbed.steps(row["run_id"])), None)


def test_a_file_that_was_compiled_without_the_cluster_runs(testbed, tmp_path) -> None:
    address = os.environ.get("NETOPS_TEST_KUBEFLOW")
    if not address:
        pytest.skip("NETOPS_TEST_KUBEFLOW names no Kubeflow Pipelines")
    file = tmp_path / "cluster-file.yaml"
    cluster = testbed.project / "configurations" / "cluster.yaml"
    written = cluster.read_text()
    try:  # where no service is asked, the file has to say itself where the pods find it
        cluster.write_text(yaml.safe_dump({**yaml.safe_load(written), "service": testbed.service_inside}))
        process = testbed.start("compile", "--out", str(file), "--name", ours("cluster-file"), *small(), service="")
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, (out, err)
    finally:
        cluster.write_text(written)
    run = _upload(address.rstrip("/"), file)
    assert testbed.ended(run) == "completed"
    assert {"generate", "select"} <= set(testbed.steps(run))


def _upload(address: str, file) -> str:
    """Do what the page's *Upload pipeline* and *Create run* do."""
    name = f"{file.stem}-{datetime.datetime.now():%H%M%S}"
    with file.open("rb") as content:
        pipeline = httpx.post(
            f"{address}/apis/v1beta1/pipelines/upload", params={"name": name},
            files={"uploadfile": (file.name, content)}, timeout=60,
        ).raise_for_status().json()  # fmt: skip
    body = {
        "name": f"netops-{name}",
        "pipeline_spec": {"pipeline_id": pipeline["id"]},
    }
    return str(
        httpx.post(f"{address}/apis/v1beta1/runs", json=body, timeout=60).raise_for_status().json()["run"]["id"]
    )
