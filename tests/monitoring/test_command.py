"""``netops monitor`` on a network that was trained by ``netops run``."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from netops.cli.main import run
from netops.config.durations import DAY, SECOND
from netops.config.paths import home as home_folder
from netops.scheduling import retraining
from netops.workflows.project import connect
from netops.workflows.settings import read_settings

pytestmark = pytest.mark.slow

SMALL = (
    "fleet.devices=12",
    "fleet.duration=2d",
    "fleet.interval=1m",
    "metrics.errors.every=6h",
    "features.windows=[5m,1h]",
    "training.families.tensorflow.enabled=false",
    "training.cross_fit=never",
    "training.families.extra_trees.enabled=false",
    "training.families.sklearn.enabled=false",
    "promotion.first=any",  # so small a network shows no model to be better than thresholds
)
CHANGED = (
    *SMALL,
    "metrics.scenarios.upgrade={kind: firmware_change, after: 50h, share: 1.0, shift: {latency: 12}}",
)
MODULE = [sys.executable, "-m", "netops.cli.main"]


def options(settings: tuple[str, ...]) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


@dataclass(frozen=True)
class Answer:
    """What a call of the command came to."""

    code: int
    out: str
    err: str


Call = Callable[..., Answer]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder with a trained network."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETOPS_HOME", str(folder))
        patch.delenv("MLRUN_DBPATH", raising=False)
        assert run(["run", *options(SMALL), "--json"]) == 0
        yield folder


@pytest.fixture
def netops(home: Path, capfd: pytest.CaptureFixture[str]) -> Call:
    """Call the command in this process, where MLRun is loaded once."""

    def call(*arguments: str) -> Answer:
        capfd.readouterr()
        code = run(list(arguments))
        return Answer(code, *capfd.readouterr())

    return call


def test_an_unchanged_network_has_not_drifted(netops: Call, tmp_path: Path) -> None:
    done = netops("monitor", *options(SMALL), "--plot", str(tmp_path / "drift.png"))
    assert done.code == 0, done.err
    assert "demo: 0 of" in done.out
    assert (tmp_path / "drift.png").read_bytes().startswith(b"\x89PNG")


def test_drift_retrains_at_most_once_per_interval(netops: Call) -> None:
    """The run of the fixture is younger than a day; a setting lets the next one begin."""
    held = netops("monitor", *options(CHANGED), "--retrain-on-drift", "--json")
    assert held.code == 0, held.err
    reported = json.loads(held.out)
    assert reported["drift"] is True
    assert reported["findings"][0]["name"].startswith("latency")
    assert reported["retraining"]["started"] is False
    assert "a training began at" in reported["retraining"]["reason"]
    begun = netops("monitor", *options((*CHANGED, "monitoring.retrain_every=1s")), "--retrain-on-drift", "--json")
    assert begun.code == 0, begun.err
    training = json.loads(begun.out)["retraining"]
    assert training["started"] is True
    shown = json.loads(netops("runs", "show", training["run_id"], "--json").out)
    assert shown["state"] == "completed"


def test_a_training_that_was_just_begun_is_remembered(home: Path) -> None:
    """Even one whose run is not listed yet."""
    settings = read_settings()
    retraining.write_json(home_folder() / "monitoring" / "other.json", {"at": 5 * DAY, "run_id": "abc"})
    connect()
    held = retraining.retrain("other", (), None, settings, 5 * DAY + 60 * SECOND)
    assert held == {
        "started": False,
        "run_id": "abc",
        "reason": "a training began at 1970-01-06 00:00 UTC; the next after 1d",
    }
    with retraining._alone("other") as first, retraining._alone("other") as second:
        assert (first, second) == (True, False)


def test_metrics_are_exported(home: Path) -> None:
    command = [*MODULE, "monitor", *options(SMALL), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = next(text for text in process.stderr if "metrics on port" in text)
            port = int(line.split("port ")[1].split()[0])
            text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
            for name in ("netops_drift_score", "netops_missing_share", "netops_run_failed", "netops_model_figure"):
                assert f"{name}{{" in text
            assert 'netops_run_stage_seconds{network="demo",stage="train",workflow="main"}' in text
        finally:
            process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 20
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
            process.kill()
    assert process.returncode in (0, 130)


def test_a_network_without_a_champion_is_refused(netops: Call) -> None:
    done = netops("monitor", "--name", "nobody")
    assert done.code == 1
    assert done.err.strip().splitlines()[-1] == "netops: network 'nobody' has no champion; known: demo"
    missing = netops("monitor", "--telemetry", "nowhere.csv")
    assert missing.code == 2
