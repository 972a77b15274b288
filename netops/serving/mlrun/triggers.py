"""What a deployed function listens to, and where it keeps its state.

A replica has one worker, which all triggers share by name: every worker of Nuclio is a process with a state of its
own, and what comes over HTTP must be answered from the state that the stream fills. Stream messages must be
partitioned by device, so that each replica owns its devices.
"""

from typing import Any

from mlrun.runtimes import ServingRuntime

from netops.config.durations import SECOND
from netops.serving.settings import LimitSettings

#: Where the state volume is mounted; the state of a replica is in <network>/<function>/replica-<n> below it.
STATE_PATH = "/state"
#: Kinds of triggers whose messages are samples.
STREAMS = ("kafka-cluster", "kafka", "v3ioStream", "v3io-stream")
#: Nuclio's longest wait for a worker that is to end. A function of one trigger ends as soon as its state is saved.
#: With two triggers Nuclio waits for the one worker twice, and only the first wait sees its end; and each time the
#: shards of a stream are shared out anew, all of it is waited out. What is not saved by then has 5 s more.
TERMINATION_HTTP, TERMINATION = 20 * SECOND, 5 * SECOND
_WORKER = "netops"


def add_http(function: ServingRuntime, port: int = 0) -> ServingRuntime:
    """Let samples, feature vectors and questions in over HTTP; every request must carry the token.

    Bodies of up to twice ``limits.body_bytes`` come in, to be refused with a sentence; Nuclio cuts off longer ones.
    """
    limits = (function.spec.parameters.get("serving") or {}).get("limits") or {}
    longest = int(limits.get("body_bytes", LimitSettings().body_bytes))
    function.with_http(
        workers=1, port=port or None, worker_timeout=30, extra_attributes={"maxRequestBodySize": 2 * longest}
    )
    _share_worker(function.spec.config["spec.triggers.http"], TERMINATION_HTTP)
    return function


def add_kafka(
    function: ServingRuntime, brokers: list[str], topic: str, group: str = "netops", replicas: int = 1
) -> ServingRuntime:
    """Let samples in from a Kafka topic whose messages are keyed by device, and questions over HTTP.

    Parameters
    ----------
    brokers : list of str
        ``host:port`` of each.
    topic, group : str
        What to read, and as which consumer group.
    replicas : int
        Replicas that share the partitions; there must be at least as many partitions.
    """
    attributes = {
        "brokers": brokers,
        "topics": [topic],
        "consumerGroup": group,
        "initialOffset": "earliest",
        # A static worker would be taken out of the pool, and HTTP would get none.
        "workerAllocationMode": "pool",
        "ackWindowSize": 1000,
    }
    return _add_stream(function, "kafka", {"kind": "kafka-cluster", "attributes": attributes}, replicas)


def add_v3io_stream(
    function: ServingRuntime, stream: str, group: str = "netops", replicas: int = 1
) -> ServingRuntime:
    """Let samples in from a V3IO stream sharded by device, and questions over HTTP.

    Parameters
    ----------
    stream : str
        ``v3io:///container/path``.
    """
    function.add_v3io_stream_trigger(stream, name="v3io", group=group, seek_to="earliest")
    trigger = function.spec.config["spec.triggers.v3io"]
    trigger["attributes"]["workerAllocationMode"] = "pool"
    return _add_stream(function, "v3io", trigger, replicas)


def add_state_volume(function: ServingRuntime, claim: str, path: str = STATE_PATH) -> ServingRuntime:
    """Keep the state on a persistent volume claim, so that a replica finds it again after a restart."""
    from mlrun.runtimes.mounts import mount_pvc

    function.apply(mount_pvc(claim, volume_name="netops-state", volume_mount_path=path))
    function.spec.parameters["state_path"] = path
    return function


def _add_stream(function: ServingRuntime, name: str, trigger: dict[str, Any], replicas: int) -> ServingRuntime:
    if "spec.triggers.http" not in function.spec.config:
        # Nuclio would add one by itself, with a worker of its own and nothing in it.
        add_http(function)
    _share_worker(function.spec.config["spec.triggers.http"], TERMINATION)
    _share_worker(trigger, TERMINATION)
    function.add_trigger(name, trigger)
    function.spec.min_replicas = function.spec.max_replicas = replicas
    return function


def _share_worker(trigger: dict[str, Any], termination: int) -> None:
    # Nuclio before 1.14 knows maxWorkers alone, from 1.15 on numWorkers alone.
    trigger |= {"numWorkers": 1, "maxWorkers": 1, "workerAllocatorName": _WORKER}
    trigger["workerTerminationTimeout"] = f"{termination // SECOND}s"
