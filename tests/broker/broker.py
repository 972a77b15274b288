"""A broker in a Java process (KRaft, one node)."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Options of the Java process: little memory, a quick start.
_JAVA = ("-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def kafka_folder() -> Path:
    """The folder of the broker's files (``fetch.sh``)."""
    return Path(os.environ.get("NETOPS_KAFKA") or Path.home() / ".cache" / "netops" / "kafka-3.9.2")


class Broker:
    """A running broker.

    Attributes
    ----------
    address : str
        ``host:port``.
    """

    def __init__(self, java: str, folder: Path, port: int, controller: int) -> None:
        self.address, self._java, self._folder = f"127.0.0.1:{port}", java, folder
        self._properties = folder / "server.properties"
        self._properties.write_text(
            f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
log.dirs={folder / "data"}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.check.interval.ms=200
log.segment.delete.delay.ms=100
"""
        )
        self._run("kafka.tools.StorageTool", "format", "-t", "bmV0b3BzLXRlc3RzLTEyMw", "-c", str(self._properties))
        self.start()

    def start(self) -> None:
        with (self._folder / "broker.log").open("ab") as log:
            command = self._command("kafka.Kafka", str(self._properties))
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the broker did not start: {self.log()}")
            time.sleep(0.1)

    def log(self) -> str:
        return (self._folder / "broker.log").read_text()[-2000:]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def create(self, topic: str, partitions: int, **settings: str) -> str:
        """Create a topic; return the address of the stream."""
        from confluent_kafka.admin import AdminClient, NewTopic

        config = {name.replace("_", "."): value for name, value in settings.items()}
        client = AdminClient({"bootstrap.servers": self.address})
        for future in client.create_topics([NewTopic(topic, partitions, 1, config=config)]).values():
            future.result(30)
        return f"kafka://{self.address}/{topic}"

    def _answers(self) -> bool:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        try:
            AdminClient({"bootstrap.servers": self.address, "log_level": 0}).list_topics(timeout=1)
        except KafkaException:
            return False
        return True

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(self._command(*arguments), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr

    def _command(self, *arguments: str) -> list[str]:
        return [self._java, *_JAVA, "-cp", f"{kafka_folder()}/*", *arguments]


@contextmanager
def running_broker(java: str, folder: Path) -> Iterator[Broker]:
    """Run a broker on free ports."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = one.getsockname()[1], other.getsockname()[1]
    broker = Broker(java, folder, *ports)
    try:
        yield broker
    finally:
        broker.stop()
