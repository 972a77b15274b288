"""The wheel, outside of the clone: it carries the project, and a network is run with it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.compiled import COMPILED
from tests.small import SPARSE

CLONE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=CLONE, check=True, capture_output=True, timeout=120)
    (path,) = folder.glob("netops-*.whl")
    return path


def test_it_carries_what_the_project_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for part in ("project.yaml", "components/train.py", "pipeline/__init__.py", "configurations/fleet.yaml"):
        assert f"netops/_project/{part}" in names
    assert "netops/py.typed" in names
    assert [name for name in names if name.endswith("licenses/LICENSE")]
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "docs/"))]


@pytest.mark.slow
def test_a_network_is_run_with_it(wheel: Path, tmp_path: Path) -> None:
    installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("NETOPS", "MLRUN"))}
    environment |= {"PYTHONPATH": str(installed), "NETOPS_HOME": str(tmp_path / "home")} | COMPILED
    call = "import netops; print(netops.__file__); from netops.cli.main import main; main()"
    settings = [argument for setting in SPARSE for argument in ("--set", setting)]
    done = subprocess.run(
        [sys.executable, "-c", call, "run", *settings],
        cwd=elsewhere,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(installed))
    assert "best: " in done.stdout
    assert list(elsewhere.iterdir()) == []
