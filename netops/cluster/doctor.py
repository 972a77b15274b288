"""Checks of the requirements of NetOps: name, result, and how to fix it.

What a check needs is imported by it: a package that is missing is its finding, not the end of all of them.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from netops.config.paths import home
from netops.errors import NetopsError

if TYPE_CHECKING:
    from netops.cluster.settings import ClusterSettings
    from netops.tracking.service import Service

#: What a run imports; a missing one is found here rather than in the middle of a run.
PACKAGES = ("mlrun", "kfp", "numpy", "pandas", "pyarrow", "numba", "onnx", "onnxruntime")
#: Libraries that training imports, with their module names. A server needs none of them.
TRAINING = {
    "scikit-learn": ("scikit-learn",),
    "xgboost": ("xgboost-cpu", "xgboost"),
    "tensorflow": ("tensorflow-cpu", "tensorflow"),
}
_ENOUGH_BYTES = 5 * 2**30


@dataclass(frozen=True)
class Finding:
    """One check: its subject, whether it passed, and what was found or how to fix it."""

    check: str
    ok: bool
    detail: str


def examine(deep: bool = False, config: Path | None = None, overrides: Iterable[str] = ()) -> Iterator[Finding]:
    """Run all checks; none of them has side effects.

    Parameters
    ----------
    deep : bool
        Whether to run a pod on the cluster, too.
    config, overrides : optional
        The configuration to check, as for ``read_settings``.
    """
    for check, look in _checks(deep, config, tuple(overrides)):
        try:
            yield Finding(check, True, look())
        except NetopsError as error:
            yield Finding(check, False, str(error))


def _checks(deep: bool, config: Path | None, overrides: tuple[str, ...]) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "python", _python
    for package in PACKAGES:
        yield package, lambda package=package: _package(package)  # type: ignore[misc]
    if any(_installed(*names) for names in TRAINING.values()):
        for family, names in TRAINING.items():
            yield family, partial(_training, family, names)
    else:
        yield "training", lambda: "not installed: this installation serves and schedules, and does not train"
    yield "home", _home
    yield "disk", _disk
    yield "project", partial(_project, config, overrides)
    if not _names_service():
        yield "tracking", _database
        if deep:
            yield "test pod", _no_cluster
        return
    answered: list[Service] = []
    yield "tracking", lambda: _versions(answered)
    for service in answered:
        settings = _cluster(config, overrides)
        checks = _service_checks()
        if deep:
            del checks["image"]  # the pod reveals what the image name only suggests
        yield from ((check, partial(look, service, settings)) for check, look in checks.items())
        if deep:
            yield "test pod", partial(_test_pod, settings)


def _python() -> str:
    if sys.version_info[:2] != (3, 11):
        raise NetopsError(f"Python {sys.version.split()[0]} is running; MLRun 1.12 requires 3.11")
    return sys.version.split()[0]


def _package(name: str) -> str:
    found = _installed(name)
    if found is None:
        raise NetopsError(f"{name} is not installed; make setup")
    return found


def _training(family: str, names: tuple[str, ...]) -> str:
    found = _installed(*names)
    if found is None:
        raise NetopsError(f"{family} is not installed; make setup, or switch its family off in training.yaml")
    return found


def _installed(*names: str) -> str | None:
    """Return the version of the first installed distribution."""
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def _home() -> str:
    try:
        folder = home()
    except OSError as error:
        raise NetopsError(f"{error.filename} cannot be made: {error.strerror}; set NETOPS_HOME") from None
    if not os.access(folder, os.W_OK):
        raise NetopsError(f"{folder} is not writable; set NETOPS_HOME to a folder that is")
    return str(folder)


def _disk() -> str:
    free = shutil.disk_usage(home()).free
    if free < _ENOUGH_BYTES:
        raise NetopsError(f"{free / 2**30:.1f} GB free in {home()}; a run takes about 2 GB: netops prune --keep 3")
    return f"{free / 2**30:,.0f} GB free"


def _project(config: Path | None, overrides: tuple[str, ...]) -> str:
    # Late: a package that is missing is what the check finds.
    from netops.workflows.project_folder import project_root
    from netops.workflows.settings import read_settings

    read_settings(config, overrides, cluster=True)
    return str(project_root())


def _names_service() -> bool:
    return "://" in os.environ.get("MLRUN_DBPATH", "")


def _database() -> str:
    # Late: a package that is missing is what the check finds.
    from netops.workflows.project import connect

    connect()
    import mlrun

    projects = mlrun.get_run_db().list_projects()
    return f"embedded database opens; {len(projects)} project(s)"


def _versions(answered: "list[Service]") -> str:
    # Late: a package that is missing is what the check finds.
    from netops.tracking.service import check_versions, look

    service = look(os.environ["MLRUN_DBPATH"])
    answered.append(service)
    return f"{service.address} answers: {check_versions(service)}"


def _cluster(config: Path | None, overrides: tuple[str, ...]) -> "ClusterSettings":
    # Late: a package that is missing is what the check finds.
    from netops.cluster.settings import read_cluster_settings
    from netops.workflows.settings import read_settings

    return read_settings(config, overrides, cluster=True).cluster or read_cluster_settings()


def _service_checks() -> "dict[str, Callable[[Service, ClusterSettings], str]]":
    # Late: a package that is missing is what the check finds.
    from netops.cluster.checks import SERVICE_CHECKS
    from netops.workflows.project import connect

    connect()
    return dict(SERVICE_CHECKS)


def _test_pod(settings: "ClusterSettings") -> str:
    # Late: a package that is missing is what the check finds.
    from netops.cluster.trial_pod import run_test_pod

    return run_test_pod(settings)


def _no_cluster() -> str:
    raise NetopsError("--deep runs a pod on the cluster: set MLRUN_DBPATH to the address of its MLRun service")
