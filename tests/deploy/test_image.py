"""The Dockerfile, checked as far as that goes without building it."""

import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_the_linter_finds_nothing() -> None:
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([linter, str(ROOT / "Dockerfile")], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    sent = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = [
        re.split(r"\s+", line)[1:-1] for line in DOCKERFILE.splitlines() if re.match(r"COPY (?!--from)", line)
    ]
    names = {name for names in copied for name in names}
    assert names == sent
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_it_ends_as_a_user_without_rights() -> None:
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.M) == ["10001:10001"]


def test_packages_come_from_pyproject_in_pinned_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    names = {re.split(r"[\[<>=~;! ]", text)[0].lower() for text in project["dependencies"]}
    elsewhere = {"tensorflow"}  # of another platform than the constraints are for
    assert names - elsewhere - pinned == set()
    assert "-r /tmp/pyproject.toml -c /tmp/constraints.txt" in DOCKERFILE
    assert not any(fnmatch(line, "*pip install*==*.*") and "uv" not in line for line in DOCKERFILE.splitlines())


def test_a_package_of_the_cluster_is_built_in_where_it_is_asked_for() -> None:
    command = ["make", "-n", "image", "EXTRA=mlrun[s3]==1.12.1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--build-arg EXTRA='mlrun[s3]==1.12.1'" in done.stdout
    assert re.search(r"^ARG EXTRA=$", DOCKERFILE, re.M)
    assert '/opt/venv/bin/python "${EXTRA}"' in DOCKERFILE


def test_the_image_is_the_one_that_the_configurations_name() -> None:
    import yaml

    cluster = yaml.safe_load((ROOT / "configurations" / "cluster.yaml").read_text())
    made = re.search(r"^IMAGE \?= (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert made
    assert made[1] == cluster["image"]
    assert re.search(r"^WORKDIR (.+)$", DOCKERFILE, re.M)[1] == cluster["source"]
