"""A network whose incidents are not recorded: from its first run to the first one with labels."""

import csv
import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

import netops as api
from netops.models.card import read_card
from netops.models.explanation import Explainer
from netops.models.onnx_file import MODEL_FILE
from netops.workflows.settings import read_settings

from .conftest import Call, fail, small

pytestmark = pytest.mark.slow
SETTINGS = small("training.families.xgboost.n_estimators=60", "training.families.sklearn.max_iter=60")


@pytest.fixture(scope="module")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Telemetry without labels, and the log of its incidents."""
    folder = tmp_path_factory.mktemp("telemetry")
    settings = read_settings(overrides=["metrics.errors.every=4h"])
    made = api.generate(folder / "made", devices=16, duration="10h", seed=1, settings=settings)
    frame = pd.concat([pq.read_table(path).to_pandas() for path in made.parts], ignore_index=True)
    hidden = [name for name in frame.columns if name.endswith("is_error")]
    frame.drop(columns=hidden).to_parquet(folder / "network.parquet")
    with (folder / "log.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("device", "start", "end"))
        writer.writerows(
            (row["device"], row["start"].isoformat(), row["end"].isoformat())
            for row in made.incidents().select(["device", "start", "end"]).to_pandas().to_dict("records")
        )
    return folder / "network.parquet", folder / "log.csv"


@pytest.fixture(scope="module")
def done(home: Path) -> dict:
    """What the first test ran, for those after it."""
    return {}


def test_a_run_without_incidents_ends_in_the_model_without_labels(
    netops: Call, done: dict, telemetry: tuple[Path, Path]
) -> None:
    answer = netops("run", "--telemetry", telemetry[0], "--name", "new", *SETTINGS, "--json")
    assert answer.code == 0, answer.err
    done |= answer.json
    assert "too few labels: a model without labels (deviations) is trained instead" in answer.err
    assert set(done["models"]) == {"deviations"}
    figures = done["models"]["deviations"]
    assert figures["alerts_per_device_day"] >= 0
    assert 0 < figures["threshold"] < 1
    for name in ("average_precision", "roc_auc", "base_rate", "event_recall", "false_alarms_per_device_day"):
        assert figures[name] is None
    assert (done["best"], done["promoted"]) == ("deviations", True)
    assert done["champion"] == {"family": "deviations", "version": figures["version"]}
    assert "without labels" in done["reason"]
    assert "incidents add" in done["warnings"][0]
    assert all(value is None for value in done["baselines"]["static_threshold"].values())


def test_it_is_shown_without_figures_of_incidents(netops: Call, done: dict) -> None:
    shown = netops("models", "show", "--name", "new").out
    assert "trained without labels" in shown
    assert "alerts per device-day" in shown
    assert "recall" not in shown
    assert read_card(Path(netops("models", "show", "--name", "new", "--json").json["path"])).supervised is False
    assert "deviations" in netops("models", "list", "--name", "new").out
    assert netops("runs", "show", done["run_id"]).code == 0
    report = Path(done["report"]).read_text(encoding="utf-8")
    assert "Event recall" not in report
    assert "netops incidents add" in report


def test_it_serves_with_reasons(netops: Call, done: dict, telemetry: tuple[Path, Path]) -> None:
    folder = Path(netops("models", "show", "--name", "new", "--json").json["path"])
    frame = pd.read_parquet(telemetry[0])
    first = frame[frame.device == frame.device.iloc[0]].head(900)
    samples = json.loads(first.to_json(orient="records", date_format="iso"))
    worst = samples[-1] | {"cpu_utilization": 99.0, "latency": 99.0, "packet_loss": 49.0, "throughput": 2.0}
    with api.Predictor(folder, network="new") as predictor:
        answers = predictor.predict([*samples[:-1], worst])
    assert {answer["status"] for answer in answers} == {"scored"}
    assert answers[-1]["risk"] > answers[-2]["risk"]
    reasons = answers[-1]["reasons"]
    assert len(reasons) == 3
    assert {reason["feature"] for reason in reasons} <= set(Explainer(folder).names)
    assert all(reason["contribution"] > 0 for reason in reasons)


def test_a_retried_selection_registers_it_once(netops: Call, done: dict) -> None:
    fail(done["run_id"], "select")
    answer = netops("run", "--resume", done["run_id"], "--json")
    assert answer.code == 0, answer.err
    assert answer.json["models"]["deviations"] == done["models"]["deviations"] | {
        "fit_seconds": answer.json["models"]["deviations"]["fit_seconds"]
    }
    assert len(netops("models", "list", "--name", "new", "--json").rows) == 1


def test_drift_and_backtest_take_it(netops: Call, telemetry: tuple[Path, Path]) -> None:
    assert netops("monitor", "--telemetry", telemetry[0], "--name", "new").code in (0, 3)
    answer = netops("backtest", "--telemetry", telemetry[0], "--incidents", telemetry[1], "--name", "new", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["family"] == "deviations"
    assert answer.json["figures"]["average_precision"] > 3 * answer.json["figures"]["base_rate"]


def test_trainings_alone_need_labels(netops: Call, done: dict, home: Path) -> None:
    features = home / "runs" / done["run_id"] / "features"
    answer = netops("train", "--features", features, "--name", "new", *SETTINGS)
    assert answer.code == 1
    assert "no labels: not trained" in answer.err
    assert len(netops("models", "list", "--name", "new", "--json").rows) == 1


def test_one_incident_is_too_few(netops: Call, telemetry: tuple[Path, Path], tmp_path: Path, done: dict) -> None:
    lines = telemetry[1].read_text(encoding="utf-8").splitlines()
    (tmp_path / "log.csv").write_text("\n".join(lines[:2]) + "\n", encoding="utf-8")
    answer = netops(
        "run",
        "--telemetry",
        telemetry[0],
        "--incidents",
        tmp_path / "log.csv",
        "--name",
        "new",
        *SETTINGS,
        "--json",
    )
    assert answer.code == 0, answer.err
    assert answer.json["telemetry"]["incidents"] == 1
    assert set(answer.json["models"]) == {"deviations"}
    assert "no split by time" in answer.json["reason"]
    # The incident changes nothing: the same model is the same version.
    assert answer.json["models"]["deviations"]["version"] == done["models"]["deviations"]["version"]
    assert "in service already" in answer.json["reason"]


def test_recorded_incidents_turn_it_into_a_supervised_one(
    netops: Call, telemetry: tuple[Path, Path], done: dict
) -> None:
    assert netops("incidents", "add", telemetry[1], "--name", "new").code == 0
    answer = netops("run", "--telemetry", telemetry[0], "--name", "new", *SETTINGS, "--json")
    assert answer.code == 0, answer.err
    assert set(answer.json["models"]) == {"sklearn", "xgboost", "vote"}
    assert answer.json["baselines"]["deviations"]["average_precision"] > 0
    assert "against the champion" in answer.json["reason"]
    assert "deviations (no labels)" in Path(answer.json["report"]).read_text(encoding="utf-8")
    if answer.json["promoted"]:
        # Without the incidents, the new champion stays.
        later = netops(
            "run",
            "--telemetry",
            telemetry[0],
            "--name",
            "new",
            *SETTINGS,
            "--set",
            "telemetry.feedback=ignore",
            "--json",
        )
        assert later.json["promoted"] is False
        assert "was trained on labels" in later.json["reason"]
    assert (Path(netops("models", "show", "--name", "new", "--json").json["path"]) / MODEL_FILE).is_file()
