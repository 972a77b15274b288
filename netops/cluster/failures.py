"""Why a stage failed on the cluster: MLRun's record, the status of its pod, and the end of its log."""

from collections.abc import Iterator
from typing import Protocol

from netops.cluster.settings import read_cluster_settings
from netops.json_types import Json, JsonObject, object_in, objects_in
from netops.tracking import service
from netops.tracking.install import names_service
from netops.tracking.records import RunRecord
from netops.workflows.project_folder import PROJECT
from netops.workflows.records.run_summary import RunDescription
from netops.workflows.records.runs import describe, steps_of
from netops.workflows.records.states import CANCELED
from netops.workflows.records.step_records import log_of

FAILED = ("error", "aborted")
#: Maximum characters of an error, and of a log, in one line.
_LENGTH, _LINES = 300, 3
#: An error of MLRun that is less specific than the status of the pod.
_THRESHOLD = "exceeded state threshold"
#: States of a step whose pod has not started.
_WAITING = ("pending", "created")
#: Why a container does not start where waiting does not help: an image, a secret or a config map is missing.
_STUCK = (
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
)
_NO_NODE = "no node accepts it"


class _Pod(Protocol):
    """A pod as MLRun lists it."""

    name: str
    status: JsonObject | None


def latest(steps: list[RunRecord]) -> list[RunRecord]:
    """Return the last attempt of each step."""
    return list({step["metadata"]["name"]: step for step in steps}.values())


def was_canceled(steps: list[RunRecord]) -> bool:
    """Return whether a run was canceled, according to its steps."""
    return any(step["status"].get("status_text") == CANCELED for step in latest(steps))


def causes_of(steps: list[RunRecord]) -> list[str]:
    """Return why steps failed, one line each; the oldest attempts first.

    Parameters
    ----------
    steps : list of dict
        Runs of the steps of a pipeline, as MLRun records them.
    """
    described = []
    for step in latest(steps):
        if step["status"].get("state") in FAILED:
            name = step["metadata"]["name"]
            times = sum(other["metadata"]["name"] == name for other in steps)
            described.append(f"{name}: {cause_of(step)}" + (f" ({times} attempts)" if times > 1 else ""))
    return described


def shown(step: RunRecord) -> RunDescription:
    """Describe a step of a run, a failed one with its cause."""
    described = describe(step)
    state = step["status"].get("state")
    if not names_service():
        return described
    if state in _WAITING:
        described["error"] = why_waiting(step)
    elif state == "error":
        described["error"] = cause_of(step)
    return described


def cause_of(step: RunRecord) -> str:
    """Return why one attempt of a step failed: its own error or, if there is none, from its pod and log."""
    status = step["status"]
    error = _line(status.get("error"))
    if error and _THRESHOLD not in error:
        return _image(error, step) or error[:_LENGTH]
    parts = [error, *(_line(status.get("reason")), _line(status.get("status_text")))]
    if names_service():
        pods = list(_pods(step["metadata"]["uid"]))
        parts = [*(_of_pod(pod) for pod in pods), *parts]
    text = ""
    for part in parts:
        text += ("; " if text else "") + part if part and part not in text else ""
    words = _last_words(step["metadata"]["uid"])
    text = _image(text, step) or text[:_LENGTH] or str(status.get("state"))
    return f"{text}; its log ends: {words}" if words else text


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def why_waiting(step: RunRecord) -> str:
    """Return why the pod of a step does not start; empty while it may just be starting."""
    for pod in _pods(step["metadata"]["uid"]):
        text = _of_pod(pod)
        if any(reason in text for reason in (*_STUCK, _NO_NODE)):
            return _image(text, step) or text[:_LENGTH]
    return ""


def is_stuck(step: RunRecord) -> bool:
    """Check whether the pod of a step will not start until something is changed."""
    return any(reason in _of_pod(pod) for pod in _pods(step["metadata"]["uid"]) for reason in _STUCK)


def waiting_steps(run_id: str) -> dict[str, str]:
    """Return for each step whose pod does not start the reason, by the names of the steps."""
    import mlrun.errors

    if not names_service():
        return {}
    try:
        steps = latest(steps_of(run_id))
    except (mlrun.errors.MLRunBaseError, OSError):
        return {}  # retry while the service is briefly unavailable
    waiting = {step["metadata"]["name"]: step for step in steps if step["status"].get("state") in _WAITING}
    return {name: f"waiting: {why}" for name, step in waiting.items() if (why := why_waiting(step))}


def _image(text: str, step: RunRecord) -> str:
    given = (step["spec"].get("parameters") or {}).get("settings") or "{}"
    image = step["spec"].get("image") or read_cluster_settings(given).image
    return service.image_missing(text, image)


def _pods(uid: str) -> Iterator[_Pod]:
    """Return the existing pods of a run."""
    import mlrun
    import mlrun.errors

    try:
        kinds = mlrun.get_run_db().list_runtime_resources(PROJECT, kind="job", object_id=uid)
    except mlrun.errors.MLRunBaseError:
        return  # what MLRun has recorded must do
    for kind in kinds:
        yield from kind.resources.pod_resources


def _of_pod(pod: _Pod) -> str:
    """Return the outcome of a pod: OOMKilled, ImagePullBackOff, its exit code, or why it has no node."""
    return f"pod {pod.name}: {', '.join(dict.fromkeys(_found_in(pod.status or {}))) or 'no reason given'}"


def _found_in(status: JsonObject) -> Iterator[str]:
    for container in _objects(status, "container_statuses"):
        for state in (_object(container, "state"), _object(container, "last_state")):
            for kind in ("waiting", "terminated"):
                found = _object(state, kind)
                code = _get(found, "exit_code")
                yield from (str(found[key]) for key in ("reason", "message") if found.get(key))
                yield from [f"exit code {code}"] if code else []
    yield from (str(status[key]) for key in ("reason", "message") if status.get(key))
    for condition in _objects(status, "conditions"):
        if _get(condition, "reason") == "Unschedulable":
            why, _, _ = str(_get(condition, "message")).partition(" preemption:")  # which repeats it
            yield f"{_NO_NODE}: {why}"


def _spelled(mapping: JsonObject, key: str) -> str:
    """Spell a key as the mapping does: older services write snake case, newer ones as Kubernetes does."""
    first, *others = key.split("_")
    return key if key in mapping else first + "".join(map(str.capitalize, others))


def _get(mapping: JsonObject, key: str) -> Json:
    return mapping.get(_spelled(mapping, key))


def _object(mapping: JsonObject, key: str) -> JsonObject:
    return object_in(mapping, _spelled(mapping, key))


def _objects(mapping: JsonObject, key: str) -> list[JsonObject]:
    return objects_in(mapping, _spelled(mapping, key))


def _last_words(uid: str) -> str:
    """Return the last lines of a step's log."""
    import mlrun.errors

    try:
        lines = [line.strip() for line in log_of(uid).splitlines() if line.strip()]
    except (mlrun.errors.MLRunBaseError, OSError):
        return ""
    return " | ".join(line[:_LENGTH] for line in lines[-_LINES:])
