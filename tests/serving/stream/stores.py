"""An object store in a process of its own: moto's server, which can be paused."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from urllib.request import urlopen

from netops.serving.stream.object_store.address import parse_state
from netops.serving.stream.object_store.client import ObjectStore, StoreCounts

#: Of no use anywhere else.
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}
# One request at a time: moto compares and writes in two steps, so that two conditional writes could both succeed.
_SERVER = """
import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
WSGIRequestHandler.timeout = 1  # a client that was stopped in the middle of a request
make_server("127.0.0.1", int(sys.argv[1]), DomainDispatcherApplication(create_backend_app)).serve_forever()
"""


class StoreServer:
    """A running store with a bucket for each test.

    Attributes
    ----------
    url : str
    environment : dict
        The variables of a client.
    """

    def __init__(self, port: int, log: Path) -> None:
        self.url, self._log = f"http://127.0.0.1:{port}", log
        self.environment = KEYS | {"AWS_ENDPOINT_URL_S3": self.url}
        with log.open("wb") as file:
            self._process = subprocess.Popen([sys.executable, "-c", _SERVER, str(port)], stdout=file, stderr=file)
        end = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise AssertionError(f"the store did not start: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        self._buckets, self._first = 0, None

    def bucket(self) -> str:
        """Make a bucket; return its address."""
        self._buckets += 1
        name = f"state-{self._buckets}"
        self.client(f"s3://{name}/")._client.create_bucket(Bucket=name)
        return f"s3://{name}/edge"

    def client(self, address: str) -> ObjectStore:
        """A client; all share the connections."""
        self._first = self._first or ObjectStore(parse_state(address))
        found = copy(self._first)
        found.address, found.counts = parse_state(address), StoreCounts()
        return found

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            urlopen(self.url, timeout=2).close()
        except OSError:
            return False
        return True


@contextmanager
def running_store(folder: Path) -> Iterator[StoreServer]:
    """Run a store on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    server = StoreServer(port, folder / "store.log")
    try:
        yield server
    finally:
        server.stop()
