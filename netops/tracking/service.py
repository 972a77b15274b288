"""The MLRun service in ``MLRUN_DBPATH``: availability, compatibility with the client, and its errors."""

import os
import re
from dataclasses import dataclass
from importlib.metadata import version

from netops.errors import NetopsError, UsageError
from netops.http_client import client
from netops.json_types import JsonObject
from netops.tracking.install import names_service

#: Maximum number of minor versions that a service may be ahead of the client, as MLRun documents.
_AHEAD = 2
_SECONDS = 10.0
#: Messages of Python's HTTP client for unreachable servers.
_UNREACHABLE = re.compile(r"HTTPS?ConnectionPool\(host='([^']+)', port=(\d+)\)")
#: Messages of Kubernetes if it cannot pull an image.
_NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "image_pull_backoff")


@dataclass(frozen=True)
class Service:
    """An MLRun service.

    Attributes
    ----------
    address : str
        The value of ``MLRUN_DBPATH``.
    info : dict
        Its response to ``client-spec``.
    """

    address: str
    info: JsonObject

    @property
    def version(self) -> str:
        """Its version; empty if unknown."""
        return str(self.info.get("version") or "")


def require(what: str) -> Service:
    """Return the service, or raise if there is none.

    Raises
    ------
    UsageError
        If none is configured.
    NetopsError
        If it does not answer, or does not fit the client.
    """
    if not names_service():
        raise UsageError(
            f"{what} needs the MLRun service: set MLRUN_DBPATH to its address (http://…); here: netops run"
        )
    service = look(os.environ["MLRUN_DBPATH"])
    check_versions(service)
    return service


def look(address: str) -> Service:
    """Query the version and settings of a service.

    Raises
    ------
    NetopsError
        If it does not answer like an MLRun service.
    """
    import httpx

    try:
        with client(_SECONDS, follow_redirects=True) as asking:
            answer = asking.get(f"{address.rstrip('/')}/api/v1/client-spec")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NetopsError(
            f"MLRun service {address} is not reachable ({error or type(error).__name__}): "
            "check MLRUN_DBPATH, and the port-forward or ingress to it"
        ) from None
    if answer.status_code in (401, 403):
        raise NetopsError(f"MLRun service {address} refuses access ({answer.status_code}): set V3IO_ACCESS_KEY")
    try:
        info = answer.raise_for_status().json()
        if not isinstance(info, dict) or "version" not in info:
            raise ValueError
    except (httpx.HTTPStatusError, ValueError):
        raise NetopsError(
            f"{address} answers ({answer.status_code}), but is no MLRun API: MLRUN_DBPATH is wrong"
        ) from None
    return Service(address, info)


def check_versions(service: Service) -> str:
    """Compare the versions of client and service, as MLRun promises compatibility.

    Returns
    -------
    str
        Both, in words.

    Raises
    ------
    NetopsError
        If they are known not to work together.
    """
    client = version("mlrun")
    ours, theirs = _numbers(client), _numbers(service.version)
    if theirs and theirs != (0, 0) and (theirs[0] != ours[0] or theirs[1] > ours[1] + _AHEAD):
        raise NetopsError(
            f"MLRun client {client} and service {service.version} do not work together: "
            f"run NetOps with the client of {theirs[0]}.{theirs[1]}, or upgrade the service to {ours[0]}.{ours[1]}"
        )
    words = f"service {service.version or 'of unknown version'}, client {client}"
    if theirs and theirs != (0, 0) and theirs[1] < ours[1]:
        words += f" (MLRun does not support newer clients: upgrade the service to {ours[0]}.{ours[1]} when you can)"
    return words


def check_image(image: str, theirs: str) -> None:
    """Refuse an image whose MLRun reads and writes other records than the client here.

    Raises
    ------
    NetopsError
        If the minor versions differ.
    """
    ours = version("mlrun")
    if _numbers(theirs) != _numbers(ours):
        raise NetopsError(
            f"image {image} has MLRun {theirs or 'of unknown version'}, the client here is {ours}: "
            "build the image from this project"
        )


def kubeflow_of(service: Service) -> str:
    """Return the address of Kubeflow Pipelines as the service has it.

    Raises
    ------
    NetopsError
        If the service has none.
    """
    if not service.info.get("kfp_url"):
        raise NetopsError(
            f"MLRun service {service.address} has no Kubeflow Pipelines, which netops submit needs: set kfp_url "
            "(MLRUN_KFP_URL) of the service; without it: netops run"
        )
    return str(service.info["kfp_url"])


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split("-")[0].split("+")[0].split(".")[:2])
    except ValueError:
        return ()


def refuse_foreign_project(name: str, workflows: set[str]) -> None:
    """Raise if the project of that name belongs to another owner.

    Raises
    ------
    NetopsError
        If the service has a project with workflows, none of which is ours.
    """
    import mlrun
    import mlrun.errors

    try:
        known = mlrun.get_run_db().get_project(name)
    except mlrun.errors.MLRunNotFoundError:
        return
    theirs = {workflow["name"] for workflow in known.spec.workflows}
    functions = {function["name"] for function in known.spec.functions}
    if (theirs or functions) and not theirs & workflows:
        owner = known.spec.owner or "an unknown user"
        raise NetopsError(
            f"project name '{name}' is taken on the service, by {owner} "
            f"({known.spec.description or 'no description'}): rename that one, or this one in project.yaml"
        )


def explain(error: Exception, image: str = "") -> NetopsError:
    """Return an explanation of an error of the service or Kubernetes in one line."""
    if isinstance(error, NetopsError):
        return error
    text = " ".join(str(error).split())
    if found := _UNREACHABLE.search(text):
        return NetopsError(_unreachable(*found.groups()))
    if image and (line := image_missing(text, image)):
        return NetopsError(line)
    code = getattr(getattr(error, "response", None), "status_code", None)
    status = f" ({code})" if code else ""
    return NetopsError(f"the MLRun service refuses{status}: {text[:300] or type(error).__name__}")


def _unreachable(host: str, port: str) -> str:
    """Return which connection failed: from this machine to the service, or from the service to a backend."""
    address = os.environ.get("MLRUN_DBPATH", "")
    if host in address:
        return (
            f"MLRun service {address} is not reachable: check MLRUN_DBPATH, and the port-forward or ingress to it"
        )
    return f"the MLRun service cannot reach {host}:{port}: is Kubeflow Pipelines up? see: netops doctor"


def image_missing(text: str, image: str) -> str:
    """Return advice if Kubernetes could not pull an image; empty otherwise."""
    if not any(sign.lower() in text.lower() for sign in _NO_IMAGE):
        return ""
    return f"the cluster cannot get image {image}: push it, and name it with its registry in cluster.yaml"
