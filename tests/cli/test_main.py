"""The command itself: help, usage errors, exit codes."""

import resource
import subprocess
import sys

import pytest

from netops.cli.main import COMMANDS

from .conftest import Call


def _cpu_seconds(*command: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.timing
def test_help_answers_at_once() -> None:
    command = (sys.executable, "-m", "netops.cli.main", "--help")
    assert min(_cpu_seconds(*command) for _ in range(3)) < 0.3


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from netops.cli.main import run; run(['--help'])\n"
        "heavy = {'mlrun', 'numpy', 'pandas', 'tensorflow', 'sklearn', 'pyarrow', 'numba'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_explains_itself(netops: Call, verb: str) -> None:
    answer = netops(verb, "--help")
    assert answer.code == 0
    assert answer.out.startswith(f"Usage: netops {verb}")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rnu"], "no such command 'rnu'; did you mean 'run'?"),
        (["run", "--horizno", "10m"], "No such option"),
        (["run", "--horizon", "soon"], "'soon' is not a valid duration"),
        (["run", "--set", "trainig.horizon=5m"], "no section 'trainig'; did you mean 'training'?"),
        (["run", "--set", "training.horzon=5m"], "unknown key 'horzon'; did you mean 'horizon'?"),
        (["run", "--set", "training.horizon"], "write it as section.key=value"),
        (["run", "--set", "fleet.devices=0"], "0 is below 1"),
        (["run", "--set", "fleet.start=yesterday"], "is not an ISO 8601 time"),
        (["run", "--set", "metrics.errors.evry=1h"], "evry"),
        (["run", "--config", "/nowhere"], "no such folder"),
        (["run", "--incidents", "x.csv"], "--incidents requires --telemetry"),
        (["run", "--telemetry", "/nowhere.csv"], "/nowhere.csv: no such file or folder"),
        (["run", "--resume", "abc", "--name", "x"], "remove --name"),
        (["run", "--name", "a/b"], "name"),
        (["score", "--telemetry", "/nowhere.csv", "--out", "x.csv"], "no such file or folder"),
        (["train", "--features", "/nowhere"], "no such folder"),
        (["run", "--trials", "2", "--budget", "60s"], "--trials and --budget exclude each other"),
        (["train", "--features", "/nowhere", "--trials", "2", "--budget", "60s"], "exclude each other"),
        (["run", "--budget", "0"], "duration '0' must be more than zero"),
        (["run", "--budget=-60s"], "'-60s' is not a valid duration"),
        (["run", "--trials", "0"], "0 is not in the range"),
        (["prune"], "pass either --keep or --older-than"),
        (["generate", "--out", "x", "--devices", "0"], "--devices"),
        (["generate", "--out", "x", "--start", "soon"], "is not a valid time"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(netops: Call, arguments: list[str], says: str) -> None:
    answer = netops(*arguments)
    assert answer.code == 2
    assert not answer.out
    assert says in answer.err
    assert len(answer.err.splitlines()) == 1


def test_a_traceback_is_shown_on_request_alone(netops: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETOPS_VERBOSE", raising=False)
    assert "Traceback" not in netops("train", "--features", "/nowhere").err
    assert "Traceback" in netops("train", "--features", "/nowhere", "--verbose").err
    assert "Traceback" not in netops("train", "--features", "/nowhere").err
