"""The end-to-end pipeline and the commands after it, as a user runs them."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from netops.alerting.settings import AlertSettings
from netops.serving.engine.champion import FixedModel
from netops.serving.engine.pipeline import Pipeline
from netops.serving.engine.runtime import Runtime
from netops.serving.settings import ServingSettings
from netops.workflows.project import load_project

from .conftest import Answer, Call, small

FIGURES = {
    "version",
    "average_precision",
    "roc_auc",
    "base_rate",
    "event_recall",
    "false_alarms_per_device_day",
    "median_lead_seconds",
    "threshold",
    "fit_seconds",
}


EVENT_FIGURES = ("average_precision", "event_recall", "false_alarms_per_device_day", "median_lead_seconds")


@pytest.fixture(scope="module")
def first(home: Path) -> dict:
    """A first run, in a process of its own, as it prints itself."""
    command = [sys.executable, "-m", "netops.cli.main", "run", *small(), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    return json.loads(done.stdout)


def test_the_summary_is_as_agreed(first: dict) -> None:
    assert first["state"] == "completed"
    assert first["name"] == "demo"
    assert set(first["models"]) == {"sklearn", "xgboost", "vote"}
    for figures in (*first["models"].values(), first["baselines"]["static_threshold"]):
        assert set(figures) == FIGURES
        assert 0 <= figures["average_precision"] <= 1
    assert first["baselines"]["static_threshold"]["version"] is None
    assert set(first["stages"]) == {"generate", "features", "train", "select", "deploy"}
    assert all(stage["seconds"] > 0 and stage["rows"] > 0 for stage in first["stages"].values())
    telemetry = first["telemetry"]
    assert telemetry["samples"] == 16 * 10 * 720
    assert telemetry["devices"] == 16
    assert telemetry["windows"] == [60, 3600]
    assert telemetry["horizon_seconds"] == 600
    assert telemetry["interval_seconds"] == 5
    assert first["peak_rss_mb"] > 100


def test_the_best_is_in_service(first: dict) -> None:
    assert first["promoted"] is True
    assert first["champion"]["family"] == first["best"]
    assert first["champion"]["version"] == first["models"][first["best"]]["version"]
    assert first["reason"]


def test_the_report_is_there(first: dict) -> None:
    assert "<html" in Path(first["report"]).read_text(encoding="utf-8")[:2000]


def test_runs_are_listed_and_shown(netops: Call, first: dict) -> None:
    assert [run["run_id"] for run in netops("runs", "list", "--json").rows][-1] == first["run_id"]
    shown = netops("runs", "show", first["run_id"][:8], "--json").json
    names = {step["workflow"] for step in shown["steps"]}
    assert names == {"generate", "features", "train-sklearn", "train-xgboost", "select", "deploy"}
    assert all(step["state"] == "completed" for step in shown["steps"])
    assert shown["models"] == first["models"]
    headings, *steps = netops("runs", "show", first["run_id"][:8]).out.splitlines()[1:]
    assert headings.split() == ["step", "state", "started", "seconds", "error"]
    assert {line.split()[0] for line in steps} == names


def test_an_unknown_run_is_refused(netops: Call, first: dict) -> None:
    assert netops("runs", "show", "zzz").code == 2


def test_models_are_versions_of_one_network(netops: Call, first: dict) -> None:
    models = netops("models", "list", "--json").rows
    assert {model["version"] for model in models} >= {m["version"] for m in first["models"].values()}
    assert [model["version"] for model in models if model["champion"]] == [first["champion"]["version"]]
    shown = netops("models", "show", "--json").json
    assert shown["version"] == first["champion"]["version"]
    assert shown["card"]["threshold"] == first["models"][first["best"]]["threshold"]
    assert not list(Path(shown["path"]).glob("*.pkl"))
    served = next(model for model in models if model["champion"])
    recall = served["intervals"]["event_recall"]
    assert recall == shown["card"]["evaluation"]["intervals"]["event_recall"]
    assert recall["low"] <= served["event_recall"] <= recall["high"]
    assert served["expected_calibration_error"] < 0.02


def test_models_are_printed_as_tables(netops: Call, first: dict) -> None:
    heading, *rows = netops("models", "list").out.splitlines()
    assert "event recall" in heading
    assert sum("yes" in row.split() for row in rows) == 1
    reported = netops("models", "show").out
    for words in (
        "95% interval",
        "By scenario",
        "By data center",
        "Other thresholds",
        "Platt scaling",
        "Promotions",
    ):
        assert words in reported


def test_artifacts_are_mlruns(home: Path, first: dict) -> None:
    project = load_project()
    kinds = {artifact["kind"] for artifact in project.list_artifacts()}
    assert {"dataset", "model"} <= kinds
    assert len(project.list_models()) >= 2
    runs = project.list_runs(labels=f"workflow={first['run_id']}")
    assert len(runs) == 6


def test_a_batch_is_scored_by_the_champion(netops: Call, first: dict, tmp_path: Path) -> None:
    telemetry, out = tmp_path / "telemetry", tmp_path / "risks.parquet"
    assert netops("generate", "--out", telemetry, "--devices", 3, "--duration", "1h").code == 0
    answer = netops("score", "--telemetry", telemetry, "--out", out, "--json")
    assert answer.json["samples"] == 3 * 720
    risks = pq.read_table(out).to_pandas()
    assert list(risks) == ["timestamp", "device", "risk", "model_version", "probability"]
    assert risks.risk.between(0, 1).all()
    assert risks.probability.between(0, 1).all()
    assert risks.risk.corr(risks.probability, method="spearman") > 0.99
    assert set(risks.model_version) == {first["champion"]["version"]}


def test_a_batch_that_lacks_metrics_is_scored_with_a_warning(netops: Call, first: dict, tmp_path: Path) -> None:
    telemetry, out = tmp_path / "telemetry", tmp_path / "risks.parquet"
    netops("generate", "--out", telemetry, "--devices", 1, "--duration", "10m")
    frame = pq.read_table(telemetry).to_pandas()
    metrics = first["telemetry"]["metrics"]
    frame.loc[frame.index[:20], metrics] = None
    frame.drop(columns=metrics[1:]).to_parquet(tmp_path / "today.parquet", index=False)
    answer = netops("score", "--telemetry", tmp_path / "today.parquet", "--out", out)
    assert answer.code == 0
    assert "missing: the model was trained with these metrics" in answer.err
    assert "20 of 120 samples have no value of any metric: no risk" in answer.err
    assert pq.read_table(out).column("risk").null_count == 20
    frame[metrics] = float("nan")
    frame.to_parquet(tmp_path / "empty.parquet", index=False)
    answer = netops("score", "--telemetry", tmp_path / "empty.parquet", "--out", tmp_path / "none.csv")
    assert answer.code == 1
    assert "no metric of the model has a value" in answer.err
    assert not (tmp_path / "none.csv").exists()


def test_a_backtest_gives_the_figures_of_the_run(home: Path, netops: Call, first: dict) -> None:
    telemetry = home / "runs" / first["run_id"] / "telemetry"
    for family, model in first["models"].items():
        reported = netops("backtest", "--telemetry", telemetry, "--version", model["version"], "--json").json
        assert reported["family"] == family
        assert {name: reported["figures"][name] for name in EVENT_FIGURES} == {
            name: model[name] for name in EVENT_FIGURES
        }
        assert reported["policy"]["threshold"] == model["threshold"]
        assert len(reported["incidents"]) == first["telemetry"]["incidents"]
    answer = netops("backtest", "--telemetry", telemetry, "--html", home / "backtest.html")
    assert answer.code == 0
    assert (home / "backtest.html").stat().st_size
    assert f"of {reported['figures']['incidents']} incidents warned of" in answer.out
    assert "in force" in answer.out


def test_a_backtest_counts_nothing_that_was_trained_on(
    home: Path, netops: Call, first: dict, tmp_path: Path
) -> None:
    telemetry = home / "runs" / first["run_id"] / "telemetry"
    frame = pq.read_table(telemetry).to_pandas().sort_values("timestamp")
    frame[: len(frame) // 3].to_parquet(tmp_path / "trained.parquet")
    page = tmp_path / "backtest.html"
    answer = netops("backtest", "--telemetry", tmp_path / "trained.parquet", "--html", page)
    assert answer.code == 0
    assert not page.exists()
    assert "all samples were used in training" in answer.out
    assert "false alarm" not in answer.out


def test_a_network_without_champion_is_refused(netops: Call, first: dict, tmp_path: Path) -> None:
    telemetry = tmp_path / "telemetry"
    netops("generate", "--out", telemetry, "--devices", 1, "--duration", "10m")
    answer = netops("score", "--telemetry", telemetry, "--out", tmp_path / "x.csv", "--name", "dmeo")
    assert answer.code == 1
    assert "network 'dmeo' has no champion; did you mean 'demo'?" in answer.err
    assert not (tmp_path / "x.csv").exists()


def test_features_and_training_alone(netops: Call, tmp_path: Path) -> None:
    telemetry, features = tmp_path / "telemetry", tmp_path / "features"
    yaml = tmp_path / "metrics.yaml"
    default = Path(__file__).parents[2] / "configurations" / "metrics.yaml"
    yaml.write_text(default.read_text().replace("every: 26h", "every: 4h"))
    netops("generate", "--out", telemetry, "--devices", 12, "--duration", "10h", "--metrics-config", yaml)
    made = netops("features", "--telemetry", telemetry, "--out", features, "--windows", "1m,10m", "--json").json
    assert made["samples"] == 12 * 10 * 720
    assert made["features"]["windows"] == [60 * 10**9, 600 * 10**9]
    trained = netops("train", "--features", features, "--family", "xgboost", "--name", "alone", "--json").json
    assert set(trained["models"]) == {"xgboost"}
    listed = netops("models", "list", "--name", "alone", "--json").rows
    assert [model["champion"] for model in listed] == [False]
    assert netops("train", "--features", telemetry, "--name", "alone").code == 2


@pytest.mark.slow
def test_a_killed_run_resumes(home: Path, netops: Call, first: dict) -> None:
    settings = small("fleet.interval=20s", "training.families.sklearn.enabled=false")
    command = [sys.executable, "-m", "netops.cli.main", "run", "--name", "killed", *settings]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        for line in process.stderr:
            if line.startswith("Build feature vectors"):
                break
        os.kill(process.pid, signal.SIGKILL)
    time.sleep(0.1)
    run = next(r for r in netops("runs", "list", "--json").rows if r["name"] == "killed")
    assert run["state"] not in ("completed", "running")
    before = _starts(netops("runs", "show", run["run_id"], "--json"))
    answer = netops("run", "--resume", run["run_id"], "--json")
    assert answer.code == 0, answer.err
    assert answer.json["run_id"] == run["run_id"]
    assert answer.json["state"] == "completed"
    after = _starts(netops("runs", "show", run["run_id"], "--json"))
    assert {name: after[name] for name in ("generate", "features")} == {
        name: before[name] for name in ("generate", "features")
    }
    assert netops("run", "--resume", run["run_id"]).code == 2


def _starts(shown: Answer) -> dict[str, str]:
    return {step["workflow"]: step["started"] for step in shown.json["steps"]}


@pytest.fixture
def served(home: Path, first: dict) -> Iterator[str]:
    """The address of a server of the champion."""
    command = [sys.executable, "-m", "netops.cli.main", "serve", "--port", "0", "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield json.loads(server.stdout.readline())["url"]
    finally:
        server.send_signal(signal.SIGTERM)
        server.stdout.close()
        assert server.wait(30) == 0


def test_the_champion_serves_what_is_simulated(netops: Call, served: str) -> None:
    played = netops("simulate", "--to", served, "--devices", 4, "--duration", "10m", "--speed", 0, "--json").json
    assert played["sent"] == 4 * 120
    assert played["answered"]["scored"] == 4 * 120


def test_a_promotion_costs_a_running_server_no_request(netops: Call, served: str, first: dict) -> None:
    before = first["champion"]["version"]
    other = next(m["version"] for m in first["models"].values() if m["version"] != before)
    seen, failed, stop = [], [], threading.Event()

    def send() -> None:
        sample = {"device": "d1", "cpu_utilization": 40.0, "latency": 20.0, "packet_loss": 1.0, "throughput": 150.0}
        with httpx.Client(base_url=served) as client:
            for second in itertools.count(1_800_000_000):
                answer = client.post("/telemetry", json={**sample, "timestamp": second})
                if answer.status_code != 200 or answer.json()["status"] != "scored":
                    failed.append(answer.text)
                seen.append(answer.json()["model"])
                if stop.is_set():
                    return

    def wait_for(version: str) -> None:
        for _ in range(200):
            if seen and seen[-1] == version:
                return
            time.sleep(0.1)
        pytest.fail(f"the server did not take over version {version}")

    sender = threading.Thread(target=send)
    sender.start()
    try:
        wait_for(before)
        assert netops("models", "promote", other).code == 0
        wait_for(other)
        assert netops("models", "rollback").code == 0
        wait_for(before)
    finally:
        stop.set()
        sender.join(30)
    assert not failed
    assert [version for version, _ in itertools.groupby(seen)] == [before, other, before]


def test_streaming_answers_are_those_of_the_batch(netops: Call, first: dict, tmp_path: Path) -> None:
    telemetry, out = tmp_path / "telemetry", tmp_path / "risks.parquet"
    netops("generate", "--out", telemetry, "--devices", 3, "--duration", "2h")
    netops("score", "--telemetry", telemetry, "--out", out)
    batch = pq.read_table(out).to_pandas().set_index(["device", "timestamp"]).risk
    samples = pq.read_table(telemetry, columns=["timestamp", "device", *first["telemetry"]["metrics"]]).to_pandas()
    samples = samples.sort_values(["timestamp", "device"], ignore_index=True)
    champion = FixedModel(first["champion"]["version"], Path(netops("models", "show", "--json").json["path"]))
    runtime = Runtime("streamed", champion, ServingSettings(), AlertSettings(), tmp_path / "state")
    compared = 0
    for begin in range(0, len(samples), 400):
        part = samples[begin : begin + 400]
        answers = Pipeline(runtime).run(part.to_json(orient="records", date_format="iso").encode())
        wanted = batch.loc[list(zip(part.device, part.timestamp, strict=True))]
        risks = [answer.risk for answer in answers]
        assert risks == pytest.approx(wanted.to_list(), abs=1e-6)
        compared += len(risks)
    assert compared == 3 * 2 * 720
    runtime.close()


def test_a_champion_is_promoted_and_rolled_back(netops: Call, first: dict) -> None:
    before = first["champion"]["version"]
    other = next(m["version"] for m in first["models"].values() if m["version"] != before)
    assert netops("models", "promote", other[:8], "--json").json["version"] == other
    assert netops("models", "show", "--json").json["version"] == other
    assert netops("models", "rollback", "--json").json["version"] == before
    assert [entry["version"] for entry in netops("models", "show", "--json").json["history"]][:3] == [
        before,
        other,
        before,
    ]
    assert netops("models", "promote", "zzz").code == 2
    assert netops("models", "rollback", "--name", "nobody").code == 1


def test_a_challenger_scores_in_the_shadow_of_the_champion(netops: Call, served: str, first: dict) -> None:
    serving = httpx.get(f"{served}/healthz").json()["model"]
    other = next(m["version"] for m in first["models"].values() if m["version"] != serving)
    assert netops("models", "shadow", serving).code == 2
    assert netops("models", "shadow", other, "--json").json == {"network": "demo", "shadow": other}
    assert {m["version"] for m in netops("models", "list", "--json").rows if m["shadow"]} == {other}
    wait_for(lambda: f'netops_shadow_info{{network="demo",version="{other}"}} 1.0' in metrics(served))
    answer = netops("simulate", "--to", served, "--speed", "0", "--devices", 3, "--duration", "30m", "--json")
    scored = answer.json["answered"]["scored"]
    assert scored > 500
    models = netops("models", "list", "--name", "demo", "--json").rows
    assert {model["version"] for model in models if model["champion"]} == {serving}
    assert netops("models", "shadow", "off").out.strip() == f"demo: {other} is no longer a shadow"
    wait_for(lambda: "netops_shadow_info" not in metrics(served))
    reported = netops("models", "show", other, "--json").json["as_shadow"]
    assert (reported["champion"], reported["challenger"], reported["samples"]) == (serving, other, scored)
    shown = netops("models", "show", other).out
    assert f"it was a shadow of {serving}: {scored:,} samples" in shown
    assert netops("models", "show", serving, "--json").json["as_shadow"] is None
    assert netops("models", "shadow", "off").out.strip() == "demo: there was no shadow"


def test_a_model_of_other_windows_cannot_be_a_shadow(netops: Call, first: dict) -> None:
    serving = netops("models", "show", "--json").json["version"]
    other = next(m["version"] for m in first["models"].values() if m["version"] != serving)
    file = Path(netops("models", "show", other, "--json").json["path"]) / "card.json"
    whole = file.read_text()
    card = json.loads(whole)
    card["spec"]["windows"] = [*card["spec"]["windows"][:-1], 2 * card["spec"]["windows"][-1]]
    file.write_text(json.dumps(card))
    try:
        refused = netops("models", "shadow", other)
    finally:
        file.write_text(whole)
    assert refused.code == 1
    assert "requires other metrics, windows or statistics" in refused.err
    assert not any(model["shadow"] for model in netops("models", "list", "--json").rows)


def metrics(url: str) -> str:
    return httpx.get(f"{url}/metrics").text


def wait_for(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.2)


def test_a_broken_version_is_not_promoted(netops: Call, first: dict) -> None:
    before = first["champion"]["version"]
    other = next(m["version"] for m in first["models"].values() if m["version"] != before)
    file = Path(netops("models", "show", other, "--json").json["path"]) / "model.onnx"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    try:
        refused = netops("models", "promote", other)
    finally:
        file.write_bytes(whole)
    assert refused.code == 1
    assert "cannot serve" in refused.err
    assert netops("models", "show", "--json").json["version"] == before


def test_a_version_without_files_is_not_rolled_back_to(netops: Call, first: dict) -> None:
    before = first["champion"]["version"]
    other = next(m["version"] for m in first["models"].values() if m["version"] != before)
    folder = Path(netops("models", "show", before, "--json").json["path"])
    assert netops("models", "promote", other).code == 0
    moved = folder.rename(folder.with_name("elsewhere"))
    try:
        refused = netops("models", "rollback")
    finally:
        moved.rename(folder)
    assert refused.code == 1
    assert "do not exist" in refused.err
    assert netops("models", "show", "--json").json["version"] == other
    assert netops("models", "rollback").code == 0


def test_pruning_keeps_what_serves(netops: Call, first: dict) -> None:
    stored = netops("models", "show", "--json").json["version"]
    reported = netops("prune", "--keep", 0, "--dry-run", "--json").json
    assert first["run_id"] in reported["runs"]
    assert Path(first["report"]).exists()
    pruned = netops("prune", "--keep", 0, "--json")
    assert pruned.code == 0, pruned.err
    assert pruned.json["runs"] == reported["runs"]
    assert not Path(first["report"]).exists()
    assert netops("runs", "list", "--json").rows == []
    assert netops("models", "show", "--json").json["version"] == stored
    assert netops("doctor").code == 0
    assert {artifact["kind"] for artifact in load_project().list_artifacts()} <= {"model", "artifact"}
