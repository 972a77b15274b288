"""What a deployed function listens to, and where it keeps its state.

Each replica owns its devices: one worker a replica, and one kind of telemetry trigger a function, since every
worker of Nuclio is a process of its own with a state of its own. Stream messages must be partitioned by device.
"""

from typing import Any

from mlrun.runtimes import ServingRuntime

#: Where the state volume is mounted; a replica's state lies in a folder of its name below it.
STATE_PATH = "/state"
#: Time a worker has to save its state when it is told to end.
TERMINATION = "60s"


def add_http(function: ServingRuntime, port: int = 0) -> ServingRuntime:
    """Let samples, feature vectors and questions in over HTTP."""
    function.with_http(workers=1, port=port or None, worker_timeout=30)
    function.spec.config["spec.triggers.http"]["workerTerminationTimeout"] = TERMINATION
    return function


def add_kafka(
    function: ServingRuntime, brokers: list[str], topic: str, group: str = "netops", replicas: int = 1
) -> ServingRuntime:
    """Let samples in from a Kafka topic whose messages are keyed by device.

    Parameters
    ----------
    brokers : list of str
        ``host:port`` of each.
    topic, group : str
        What to read, and as which consumer group.
    replicas : int
        Replicas that share the partitions; there must be as many partitions at the least.
    """
    attributes = {
        "brokers": brokers,
        "topics": [topic],
        "consumerGroup": group,
        "initialOffset": "earliest",
        "workerAllocationMode": "static",
        "ackWindowSize": 1000,
    }
    return _add_stream(function, "kafka", {"kind": "kafka-cluster", "attributes": attributes}, replicas)


def add_v3io_stream(
    function: ServingRuntime, stream: str, group: str = "netops", replicas: int = 1
) -> ServingRuntime:
    """Let samples in from a V3IO stream sharded by device.

    Parameters
    ----------
    stream : str
        ``v3io:///container/path``.
    """
    function.add_v3io_stream_trigger(stream, name="v3io", group=group, seek_to="earliest")
    return _add_stream(function, "v3io", function.spec.config["spec.triggers.v3io"], replicas)


def add_state_volume(function: ServingRuntime, claim: str, path: str = STATE_PATH) -> ServingRuntime:
    """Keep the state on a persistent volume claim, so that a replica finds it again after a restart."""
    from mlrun.runtimes.mounts import mount_pvc

    function.apply(mount_pvc(claim, volume_name="netops-state", volume_mount_path=path))
    function.spec.parameters["state_path"] = path
    return function


def _add_stream(function: ServingRuntime, name: str, trigger: dict[str, Any], replicas: int) -> ServingRuntime:
    trigger |= {"maxWorkers": 1, "workerTerminationTimeout": TERMINATION}
    function.add_trigger(name, trigger)
    function.spec.min_replicas = function.spec.max_replicas = replicas
    return function
