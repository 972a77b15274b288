"""The recipe of CONTRIBUTING.md for a statistic, in a copy of the library; and the statistics of the registry."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import netops
from netops.features.spec import STATISTICS
from netops.features.statistics.registry import WINDOW_STATISTICS
from netops.features.statistics.selection import EMPTY, window_statistic
from netops.kernels import kernel
from tests.docs.pages import code, pages

PACKAGE = Path(netops.__file__).parent
STATISTIC, STATISTIC_LINE = (
    next(block for block in code(pages()["CONTRIBUTING.md"], "python") if start in block)
    for start in ("def variation", '"variation": ')
)
#: Values of one device, by the batch and by the stream, and what the configuration and a reason call it.
SCRIPT = """
import json
import numpy as np
from netops.config.durations import MINUTE, SECOND
from netops.features.batch import transform
from netops.features.engine import FeatureEngine
from netops.features.settings import FeatureSettings
from netops.models.wording import Value, describe

spec = FeatureSettings(windows=(MINUTE,), statistics=("variation", "mean", "count")).spec(["cpu"], SECOND, MINUTE)
values = np.random.default_rng(0).normal(size=(200, 1)) * (np.arange(200) % 3 > 0)[:, None]
values[::7] = np.nan
times = 1_767_225_600 * SECOND + np.arange(200) * SECOND
batch = transform(spec, np.array([0, 200]), times, values)
engine, codes = FeatureEngine(spec), np.zeros(200, np.int64)
stream = np.concatenate([engine.update(codes[i : i + 9], times[i : i + 9], values[i : i + 9])[0]
                         for i in range(0, 200, 9)])
window = values[140:200][~np.isnan(values[140:200])]
print(json.dumps({
    "names": spec.names,
    "equal": batch.tobytes() == stream.tobytes(),
    "error": abs(batch[-1, 1] - window.std(ddof=1) / abs(window.mean())),
    "empty": str(batch[0, 1]),
    "words": describe(Value(spec.features[1], 0.5, 0.25, 0.125, MINUTE)),
}))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the library in which the recipe was followed."""
    copy = shutil.copytree(PACKAGE, tmp_path / "netops", ignore=shutil.ignore_patterns("__pycache__"))
    folder = copy / "features" / "statistics"
    (folder / "variation.py").write_text(STATISTIC, encoding="utf-8")
    registry = (folder / "registry.py").read_text(encoding="utf-8")
    before, end, after = registry.rpartition("}\n")
    (folder / "registry.py").write_text(before + STATISTIC_LINE + end + after, encoding="utf-8")
    return copy


@pytest.mark.slow
def test_a_statistic_is_one_file_and_one_line(package: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["names"][:2] == ["cpu", "cpu_variation_1m"]
    assert (found["equal"], found["empty"]) == (True, "nan")
    assert found["error"] < 1e-12
    assert found["words"] == "cpu: variation of 1m is 0.5, 2.0 deviations above the training mean of 0.25"


def test_a_window_without_a_value_has_no_statistic_but_the_count() -> None:
    assert {name: value for name, value in zip(WINDOW_STATISTICS, EMPTY, strict=True) if value == value} == {
        "count": 0.0
    }


@kernel(cached=False)
def _computed(codes):
    found = np.empty(codes)
    for i in range(codes):
        found[i] = window_statistic(i, 4.0, 2.5, 1.25, 1.0, 4.5)
    return found


def test_statistics_are_chosen_by_their_position() -> None:
    chosen = _computed(len(WINDOW_STATISTICS) + 1)
    expected = {"mean": 2.5, "min": 1.0, "max": 4.5, "std": 1.25, "count": 4.0, "range": 3.5}
    assert dict(zip(WINDOW_STATISTICS, chosen, strict=False)) == expected
    assert np.isnan(chosen[-1])
    assert set(WINDOW_STATISTICS) < set(STATISTICS)
