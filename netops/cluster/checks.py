"""Checks of the doctor that need a running MLRun service."""

from collections.abc import Callable
from uuid import uuid4

from netops.cluster.settings import ClusterSettings
from netops.errors import NetopsError
from netops.tracking.service import Service, kubeflow_of
from netops.workflows.project_folder import PROJECT

_SECONDS = 10
#: Fixed values for the placeholders of an artifact path, for the write test.
_PLACEHOLDERS = ("{{run.uid}}", "{{workflow.uid}}")


def _namespace(service: Service, settings: ClusterSettings) -> str:
    configured, reported = settings.namespace, service.info.get("namespace")
    if reported and reported != configured:
        raise NetopsError(
            f"the service runs in namespace '{reported}', cluster.yaml specifies '{configured}'; change it there"
        )
    return configured


def _inside(service: Service, settings: ClusterSettings) -> str:
    """Compare the address that pods get in a compiled workflow with the one that the service gives them."""
    reported = str(service.info.get("api_url") or "")
    if settings.service and reported and settings.service.rstrip("/") != reported.rstrip("/"):
        raise NetopsError(f"cluster.yaml: service: pods get {settings.service}, the service reports {reported}")
    return settings.service or reported or "the default of MLRun's chart"


def _kubeflow(service: Service, settings: ClusterSettings) -> str:
    address = kubeflow_of(service)
    _ask(service, "projects/*/pipelines", "Kubeflow Pipelines", page_size=1)
    return f"{address} answers"


def _image(service: Service, settings: ClusterSettings) -> str:
    image = settings.image
    if not image:
        raise NetopsError("cluster.yaml names no image; make one with: make image")
    if "/" not in image:
        raise NetopsError(
            f"image '{image}' names no registry: a cluster finds it only if its nodes have it already"
        )
    return f"{image} (only a pod can check whether the cluster can pull it: netops doctor --deep)"


def _artifacts(service: Service, settings: ClusterSettings) -> str:
    path = artifact_root(settings, service)
    if not path:
        raise NetopsError("neither cluster.yaml nor the service names an artifact path; set artifact_path")
    if "://" not in path:
        return f"{path}: a folder; right only where every pod, and every machine that runs stages, mounts it"
    try:
        write_and_read(path)
    except Exception as error:  # noqa: BLE001 each store raises different errors
        text = " ".join(str(error).split())[:160] or type(error).__name__
        return f"{path}: not reachable from here ({text}); whether stages reach it: netops doctor --deep"
    return f"{path}: written to, and read, from here"


def artifact_root(settings: ClusterSettings, service: Service) -> str:
    """Return the folder of the artifacts of all runs; empty if not configured."""
    path = str(settings.artifact_path or service.info.get("artifact_path") or "")
    for placeholder in ("{{project}}", "{{run.project}}"):
        path = path.replace(placeholder, PROJECT)
    for placeholder in _PLACEHOLDERS:
        path = path.partition(placeholder)[0]
    return path.rstrip("/")


def write_and_read(path: str) -> None:
    """Try an artifact path: write a file there, read it, and delete it."""
    import mlrun

    item = mlrun.get_dataitem(f"{path}/_doctor-{uuid4().hex}")
    item.put(b"netops")
    try:
        if bytes(item.get()) != b"netops":
            raise NetopsError("the content read differs from the content written")
    finally:
        item.delete()


def _nuclio(service: Service, settings: ClusterSettings) -> str:
    version = service.info.get("nuclio_version")
    if not version:
        return "none: the deploy stage proves the model in its own pod; serve it with deploy/kubernetes"
    _ask(service, f"projects/{PROJECT}/api-gateways", "Nuclio")
    return f"Nuclio {version} answers"


def _ask(service: Service, path: str, what: str, **parameters: int) -> None:
    """Request something that the service has to query from another component."""
    import mlrun.errors
    from mlrun.db.httpdb import HTTPRunDB

    try:
        HTTPRunDB(service.address).api_call("GET", path, params=parameters, timeout=_SECONDS)
    except mlrun.errors.MLRunNotFoundError:
        return  # the service itself reports that the project does not exist yet
    except (mlrun.errors.MLRunBaseError, OSError) as error:
        text = " ".join(str(error).split())[:200]
        raise NetopsError(f"{what} does not answer through the MLRun service: {text}") from None


#: Checks that need a service.
SERVICE_CHECKS: dict[str, Callable[[Service, ClusterSettings], str]] = {
    "namespace": _namespace,
    "address inside": _inside,
    "kubeflow": _kubeflow,
    "image": _image,
    "artifact path": _artifacts,
    "nuclio": _nuclio,
}
