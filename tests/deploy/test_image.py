"""The Dockerfile, checked as far as that goes without building it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from contextlib import suppress
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
INSTALL = (ROOT / "deploy" / "image" / "install.sh").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = set(PROJECT["optional-dependencies"])
BIN = str(Path(sys.executable).parent)


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=~;! ]", text)[0].lower() for text in requirements}


def stage(target: str) -> str:
    """Give the part of the Dockerfile that makes a target."""
    return re.split(r"^FROM ", DOCKERFILE.partition(f" AS {target}\n")[2], flags=re.M)[0]


def unmet(requirements: list[str]) -> list[str]:
    """List the requirements, and those of installed packages behind them, that the constraints do not meet."""
    lines = [line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines()]
    pins = {canonicalize_name(name): version for name, version in lines}
    wrong, waiting, seen = [], list(requirements), set()
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        if name not in pins or not requirement.specifier.contains(pins[name], prereleases=True):
            wrong.append(str(requirement))
            continue
        with suppress(PackageNotFoundError):
            for text in requires(name) or ():
                needed = Requirement(text)
                extras = [{"extra": extra} for extra in (requirement.extras or {""})]
                if needed.marker is None or any(needed.marker.evaluate(extra) for extra in extras):
                    waiting.append(
                        f"{needed.name}{'[' + ','.join(needed.extras) + ']' if needed.extras else ''}"
                        f"{needed.specifier}"
                    )
    return wrong


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
    found = {name for names in copied for name in names}
    assert found - {"deploy/image/install.sh", "deploy/image/trim.sh"} == sent
    assert [name for name in found if not (ROOT / name).exists()] == []


def test_it_ends_as_a_user_without_rights() -> None:
    for target in ("serve", "stages"):
        assert re.findall(r"^USER (.+)$", stage(target), re.M) == ["10001:10001"]


def test_packages_come_from_pyproject_in_pinned_versions() -> None:
    pinned = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    elsewhere = {"tensorflow", "xgboost"}  # of another platform than the constraints are for
    assert names(PROJECT["dependencies"]) - elsewhere - pinned == set()
    assert "-r pyproject.toml -c constraints.txt" in INSTALL
    assert "://" not in INSTALL + DOCKERFILE
    assert not any(fnmatch(line, "*pip install*==*.*") and "uv" not in line for line in DOCKERFILE.splitlines())


@pytest.mark.parametrize("extra", sorted(EXTRAS - {"dev"}))
def test_the_packages_of_every_extra_are_in_the_constraints(extra: str) -> None:
    """Offline: every requirement of a requirement is pinned, in a version that it takes."""
    assert unmet(PROJECT["optional-dependencies"][extra]) == []


def test_the_constraints_are_those_of_all_extras_at_once() -> None:
    command = [shutil.which("uv", path=BIN), "pip", "compile", "-q", "--no-header", "--no-annotate", "--all-extras"]
    command += ["--no-emit-index-url", "--python-version", "3.11", "-c", "constraints.txt", "pyproject.toml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    offline = "error sending request" in done.stderr or "dns error" in done.stderr
    if offline and os.environ.get("NETOPS_REQUIRE_ALL") != "1":
        pytest.skip("no package registry can be reached")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (ROOT / "constraints.txt").read_text()


def test_no_library_of_nvidia_comes_unasked() -> None:
    assert "nvidia" not in (ROOT / "constraints.txt").read_text()
    assert re.search(r"^ARG GPU=$", stage("stages-packages"), re.M)


def test_packages_excluded_from_an_image_are_dependencies() -> None:
    images = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["netops"]["images"]
    pinned = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    others = {"tensorflow", "xgboost"}
    assert {*images["without"], *images["serve-without"]} - pinned - others == set()


def test_extras_and_packages_of_the_cluster_are_built_in_where_they_are_asked_for() -> None:
    command = ["make", "-n", "image", "EXTRAS=s3,azure", "EXTRA=boltons", "GPU=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for argument in ("EXTRAS='s3,azure'", "EXTRA='boltons'", "GPU='1'"):
        assert done.stdout.count(f"--build-arg {argument}") == 2
    assert {"s3", "azure", "gcs", "redis", "v3io"} <= EXTRAS
    for packages in ("serve-packages", "stages-packages"):  # an argument holds for the stage that names it
        assert {"ARG EXTRAS=", "ARG EXTRA="} <= set(stage(packages).splitlines())


@pytest.mark.slow
def test_the_check_of_the_build_is_passed_in_a_folder_of_ones_own_alone(own_folder, without_rights) -> None:
    ours, theirs = own_folder / "ours", own_folder / "theirs"
    ours.mkdir()
    theirs.mkdir(mode=0o555)
    (own_folder / "bin").mkdir()
    netops = own_folder / "bin" / "netops"
    netops.write_text(f'#!/bin/sh\nexec {sys.executable} -m netops.cli.main "$@"\n')
    netops.chmod(0o755)
    environment = {
        "PATH": f"{netops.parent}:{BIN}:{os.environ['PATH']}",
        "HOME": str(ours),
        "PYTHONPATH": str(ROOT),
    }
    check = ["sh", str(ROOT / "deploy" / "image" / "check.sh")]
    for folder, passes in ((ours, True), (theirs, False)):
        done = subprocess.run(
            check, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, **without_rights
        )
        assert (done.returncode == 0) is passes, done.stdout + done.stderr
        assert ("tracking" in done.stdout) is passes
    assert "Permission denied" in done.stdout


def test_pods_work_in_a_folder_of_their_user() -> None:
    made = re.search(r"useradd --uid 10001 --gid netops --create-home (\w+)", DOCKERFILE)
    assert re.findall(r"^WORKDIR (/home/.+)$", DOCKERFILE, re.M) == [f"/home/{made[1]}"]
    assert re.findall(r"^WORKDIR (.+)$", DOCKERFILE, re.M)[-1] == f"/home/{made[1]}"
    for target in ("serve", "stages"):
        assert "RUN sh /opt/netops/deploy/image/check.sh" in stage(target)
        assert stage(target).index("USER 10001:10001") < stage(target).index("check.sh")


def test_the_image_is_the_one_that_the_configurations_name() -> None:
    import yaml

    cluster = yaml.safe_load((ROOT / "configurations" / "cluster.yaml").read_text())
    made = re.search(r"^IMAGE \?= (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert made
    assert made[1] == cluster["image"]
    assert f"COPY netops {cluster['source']}/netops" in DOCKERFILE


def test_what_the_build_runs_is_copied_into_it() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    modules = {name.split(".")[0] for name in re.findall(r"^RUN .*python -m ([\w.]+)", DOCKERFILE, re.M)}
    assert "tools" in modules
    for package in modules - {"compileall"}:
        assert f"COPY {package} /opt/netops/{package}\n" in DOCKERFILE
        assert f"!{package}" in ignored


def test_the_images_of_the_cluster_tests_have_the_client_of_their_store() -> None:
    workflow = (ROOT / ".github" / "workflows" / "cluster.yaml").read_text()
    store = re.search(r"^  NETOPS_TEST_ARTIFACTS: (\w+)://", workflow, re.M)
    assert store
    assert store[1] in EXTRAS
    assert re.search(rf"^ +make image EXTRAS={store[1]}$", workflow, re.M)
