"""Triggers and state volume of a deployed function.

A replica has one worker that all triggers share: each Nuclio worker is a process with its own state, and HTTP
queries must see the state that the stream updates. Messages of a v3io stream must be sharded by device, so that all
samples of a device go to the same replica. A Kafka topic has no trigger: the worker reads it itself.
"""

from mlrun.runtimes import ServingRuntime
from mlrun.runtimes.mounts import mount_pvc

from netops.config.durations import SECOND
from netops.serving.settings import LimitSettings

#: Where the state volume is mounted; the state of a replica is in <network>/<function>/replica-<n> below it.
STATE_PATH = "/state"
#: Kinds of triggers whose messages are samples.
STREAMS = ("v3ioStream", "v3io-stream")
#: Nuclio's maximum wait for a worker to stop. A function with one trigger stops as soon as its state is saved. With
#: two triggers Nuclio waits for the worker twice, and at each reassignment of shards the full time passes. A save
#: that is not complete by then has 5 s more.
TERMINATION_HTTP, TERMINATION = 20 * SECOND, 5 * SECOND
_WORKER = "netops"


def add_http(function: ServingRuntime, port: int = 0) -> ServingRuntime:
    """Add an HTTP trigger for samples, feature vectors and queries; requests need the token.

    Bodies of up to twice ``limits.body_bytes`` are rejected with a message; Nuclio truncates longer ones.
    """
    limits = (function.spec.parameters.get("serving") or {}).get("limits") or {}
    longest = int(limits.get("body_bytes", LimitSettings().body_bytes))
    function.with_http(
        workers=1, port=port or None, worker_timeout=30, extra_attributes={"maxRequestBodySize": 2 * longest}
    )
    _share_worker(function.spec.config["spec.triggers.http"], TERMINATION_HTTP)
    return function


def add_v3io_stream(
    function: ServingRuntime, stream: str, group: str = "netops", replicas: int = 1
) -> ServingRuntime:
    """Add a trigger for a V3IO stream sharded by device, and an HTTP trigger for queries.

    Parameters
    ----------
    stream : str
        ``v3io:///container/path``.
    """
    function.add_v3io_stream_trigger(stream, name="v3io", group=group, seek_to="earliest")
    trigger = function.spec.config["spec.triggers.v3io"]
    # A static worker would be removed from the pool, and HTTP would have none.
    trigger["attributes"]["workerAllocationMode"] = "pool"
    if "spec.triggers.http" not in function.spec.config:
        # Nuclio would add one with a separate worker and empty state.
        add_http(function)
    for shared in (function.spec.config["spec.triggers.http"], trigger):
        _share_worker(shared, TERMINATION)
    function.spec.min_replicas = function.spec.max_replicas = replicas
    return function


def add_state_volume(function: ServingRuntime, claim: str, path: str = STATE_PATH) -> ServingRuntime:
    """Store the state on a persistent volume claim, so that it survives restarts."""
    function.apply(mount_pvc(claim, volume_name="netops-state", volume_mount_path=path))
    function.spec.parameters["state_path"] = path
    return function


def _share_worker(trigger: dict[str, object], termination: int) -> None:
    # Nuclio before 1.14 supports only maxWorkers, since 1.15 only numWorkers.
    trigger |= {"numWorkers": 1, "maxWorkers": 1, "workerAllocatorName": _WORKER}
    trigger["workerTerminationTimeout"] = f"{termination // SECOND}s"
