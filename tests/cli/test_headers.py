"""Files whose columns are not those of telemetry are refused before a run is recorded; hints name what works."""

from pathlib import Path

import pytest

from .conftest import Call

CASES = Path(__file__).parents[1] / "telemetry" / "cases"


@pytest.mark.parametrize(
    ("case", "hint"),
    [
        ("cli-hints/when.csv", "--set telemetry.time=when"),
        ("time-1970-excel-serial/t.csv", "--set telemetry.time_format=excel"),
        ("time-formats/dayfirst.csv", '--set "telemetry.time_format=%d.%m.%Y %H:%M:%S"'),
    ],
)
def test_nothing_is_recorded_of_files_that_cannot_be_read(netops: Call, home: Path, case: str, hint: str) -> None:
    done = netops("run", "--telemetry", CASES / case)
    assert done.code == 1
    assert hint in done.err
    assert "--resume" not in done.err
    assert not (home / "runs").exists()


def test_an_option_with_a_hash_or_a_percent_sign_is_text(netops: Call, tmp_path: Path) -> None:
    for case, setting in (
        ("cli-hints/t.csv", "telemetry.device=# hostname"),
        ("time-formats/dayfirst.csv", "telemetry.time_format=%d.%m.%Y %H:%M:%S"),
    ):
        done = netops("features", "--telemetry", CASES / case, "--out", tmp_path / "out", "--set", setting)
        assert done.code == 0, done.err
        assert "device: " in done.err


def test_the_hint_of_resume_names_an_option_that_exists(netops: Call) -> None:
    done = netops("run", "--resume", "0123", "--set", "training.horizon=5m")
    assert done.code == 2
    assert "remove --set" in done.err


def test_features_are_not_written_over_the_telemetry(netops: Call, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes((CASES / "cli-hints" / "t.csv").read_bytes())
    done = netops("features", "--telemetry", tmp_path, "--out", tmp_path)
    assert done.code == 2
    assert "contains something other than a dataset (t.csv)" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
