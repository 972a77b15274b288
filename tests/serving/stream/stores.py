"""An object store in a process of its own, which can be paused: moto's server, or MinIO.

``NETOPS_TEST_S3_SERVER=/path/to/minio`` runs the tests with MinIO.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import boto3

from netops.serving.stream.object_store.address import parse_state
from netops.serving.stream.object_store.client import ObjectStore, StoreCounts

#: Of no use anywhere else.
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing-key", "AWS_DEFAULT_REGION": "us-east-1"}
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
            command, more = _program(port, log.parent)
            self._process = subprocess.Popen(command, env=os.environ | more, stdout=file, stderr=file)
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

    def denied(self, address: str, action: str) -> dict[str, str]:
        """Return the variables of a client that lacks one right in a bucket."""
        bucket = parse_state(address).bucket
        deny = {"Effect": "Deny", "Action": action, "Resource": f"arn:aws:s3:::{bucket}/*"}
        # moto honours the policy of the bucket, MinIO that of the session.
        policy = json.dumps({"Version": "2012-10-17", "Statement": [deny | {"Principal": "*"}]})
        self.client(address)._client.put_bucket_policy(Bucket=bucket, Policy=policy)
        allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"}
        found = boto3.client("sts", endpoint_url=self.url).assume_role(
            RoleArn="arn:aws:iam::123456789012:role/netops",
            RoleSessionName="test",
            Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow, deny]}),
        )["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
            "AWS_SESSION_TOKEN": found["SessionToken"],
        }

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
        except HTTPError as error:
            return error.code < 500  # it refuses who has no keys
        except OSError:
            return False
        return True


def _program(port: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command of the server, and its variables."""
    if not (minio := os.environ.get("NETOPS_TEST_S3_SERVER")):
        return [sys.executable, "-c", _SERVER, str(port)], {}
    keys = {"MINIO_ROOT_USER": KEYS["AWS_ACCESS_KEY_ID"], "MINIO_ROOT_PASSWORD": KEYS["AWS_SECRET_ACCESS_KEY"]}
    command = [minio, "server", "--address", f"127.0.0.1:{port}", str(folder / "objects")]
    return command, keys | {"MINIO_BROWSER": "off", "MINIO_UPDATE": "off"}


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
