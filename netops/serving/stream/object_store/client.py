"""The client of the object store: conditional writes, bounded times, errors of one line.

It needs what a store must have to be shared: ``If-None-Match: *`` and ``If-Match`` of PutObject, and reads that see
the last write. Amazon S3 has them since November 2024, MinIO and Ceph's gateway have them too.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, NamedTuple
from uuid import uuid4

from netops.errors import NetopsError, UsageError
from netops.serving.stream.object_store.address import StoreAddress

#: Seconds to connect, and to wait for data; attempts of a request.
_CONNECT, _READ, _ATTEMPTS = 2.0, 10.0, 2
_CONNECTIONS = 32
#: Keys that are deleted with one request, and bytes that are written to a file at once.
_DELETED, _CHUNK = 1000, 1 << 20
_CONFLICTS = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_MISSING = ("NoSuchKey", "404")
_RIGHTS = "; allow s3:GetObject, PutObject, DeleteObject and ListBucket there"
#: What to do, by the code of an error.
_HINTS = {
    "NoSuchBucket": "; create it, or correct --state",
    "AccessDenied": _RIGHTS,
    "403": _RIGHTS,
    "InvalidAccessKeyId": "; check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "; check AWS_SECRET_ACCESS_KEY",
    "InvalidTokenId": "; check AWS_SESSION_TOKEN",
}


class StoreError(NetopsError):
    """The object store does not answer, or refuses a request."""


class ConflictError(Exception):
    """The condition of a write does not hold: the object is another one by now."""


class Found(NamedTuple):
    """An object: content, entity tag, and age in seconds by the clock of the store."""

    body: bytes
    etag: str
    age: float


@dataclass
class StoreCounts:
    """The requests since the start of the process; changed under ``lock``."""

    requests: dict[tuple[str, str], int] = field(default_factory=dict)
    sent: int = 0
    received: int = 0
    lock: Lock = field(default_factory=Lock)

    def count(self, operation: str, result: str, sent: int = 0, received: int = 0) -> None:
        """Count a request."""
        with self.lock:
            self.requests[operation, result] = self.requests.get((operation, result), 0) + 1
            self.sent += sent
            self.received += received


class ObjectStore:
    """A bucket; used by several threads.

    Credentials, region and endpoint are those of AWS' usual variables and files (``AWS_ACCESS_KEY_ID``,
    ``AWS_ENDPOINT_URL_S3``, the identity of a service account, …).

    Parameters
    ----------
    address : StoreAddress

    Raises
    ------
    UsageError
        If the client is not installed, or its configuration is invalid.
    """

    def __init__(self, address: StoreAddress) -> None:
        self.address, self.counts = address, StoreCounts()
        self._client = _made_client()

    def check(self) -> None:
        """Check that the bucket may be read and written, and that the store honours conditions.

        Raises
        ------
        StoreError
            If not.
        """
        key = self.address.key("check", uuid4().hex)
        try:
            etag = self.replace(key, b"1", None)
            for wrong, name in ((None, "If-None-Match"), ('"0"', "If-Match")):
                with suppress(ConflictError):
                    self.replace(key, b"2", wrong)
                    raise StoreError(
                        f"{self.address}: the store ignores {name} of PutObject, so processes cannot share it; "
                        "use one with conditional writes"
                    )
            self.replace(key, b"3", etag)
            if (found := self.read(key)) is None or found.body != b"3":
                raise StoreError(f"{self.address}: an object that was written is not read; use a consistent store")
            if list(self.keys(key)) != [key]:
                raise StoreError(f"{self.address}: an object that was written is not listed")
        except ConflictError as error:
            raise StoreError(f"{self.address}: the store refuses a valid condition: {error}") from None
        self.delete([key])

    def read(self, key: str) -> Found | None:
        """Return an object; None if there is none."""
        with self._call("get", key) as done:
            try:
                answer = self._client.get_object(Bucket=self.address.bucket, Key=key)
            except self._client.exceptions.ClientError as error:
                if _code(error) not in _MISSING:
                    raise
                return None
            body = answer["Body"].read()
            done["received"] = len(body)
            return Found(body, answer["ETag"], _age(answer))

    def download(self, key: str, size: int, path: Path) -> None:
        """Write an object to a file.

        Raises
        ------
        StoreError
            Also if it is missing, or has another size.
        """
        with self._call("get", key) as done, path.open("wb") as file:
            answer = self._client.get_object(Bucket=self.address.bucket, Key=key)
            for chunk in answer["Body"].iter_chunks(_CHUNK):
                file.write(chunk)
                done["received"] += len(chunk)
        if done["received"] != size:
            raise StoreError(f"{self.address}: object {key} has {done['received']} bytes instead of {size}")

    def upload(self, key: str, body: bytes | BinaryIO, size: int) -> None:
        """Write an object under a key that is used once."""
        with self._call("put", key) as done:
            self._client.put_object(Bucket=self.address.bucket, Key=key, Body=body)
            done["sent"] = size

    def replace(self, key: str, body: bytes, etag: str | None) -> str:
        """Write an object if it still is the one with an entity tag; None: if there is none. Return the new tag.

        Raises
        ------
        ConflictError
            If it is another one.
        StoreError
            If the store does not answer; the object may be written nevertheless.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        with self._call("replace", key) as done:
            try:
                answer = self._client.put_object(Bucket=self.address.bucket, Key=key, Body=body, **condition)
            except self._client.exceptions.ClientError as error:
                if _code(error) in (*_CONFLICTS, *_MISSING):
                    raise ConflictError(f"{key}: {_code(error)}") from None
                raise
            done["sent"] = len(body)
            return str(answer["ETag"])

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, if they exist."""
        pending = list(keys)
        for start in range(0, len(pending), _DELETED):
            part = pending[start : start + _DELETED]
            with self._call("delete", part[0]):
                objects = {"Objects": [{"Key": key} for key in part], "Quiet": True}
                answer = self._client.delete_objects(Bucket=self.address.bucket, Delete=objects)
                if errors := answer.get("Errors"):
                    why = errors[0]["Code"] + _HINTS.get(errors[0]["Code"], "")
                    raise StoreError(f"{self.address}: {errors[0]['Key']} was not deleted: {why}")

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys with a prefix."""
        token: dict[str, str] = {}
        while True:
            with self._call("list", prefix):
                answer = self._client.list_objects_v2(Bucket=self.address.bucket, Prefix=prefix, **token)
            yield from (one["Key"] for one in answer.get("Contents", ()))
            if not answer.get("IsTruncated"):
                return
            token = {"ContinuationToken": answer["NextContinuationToken"]}

    @contextmanager
    def _call(self, operation: str, key: str) -> Iterator[dict[str, int]]:
        """Count a request, and report an error in one line."""
        # Late: they come with the extra.
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        moved = {"sent": 0, "received": 0}
        try:
            yield moved
        except ConflictError:
            self.counts.count(operation, "conflict")
            raise
        except (BotoCoreError, ClientError, HTTPError) as error:
            self.counts.count(operation, "failed")
            why = _reason(error) if isinstance(error, ClientError) else " ".join(str(error).split())
            raise StoreError(f"{self.address}: {operation} {key.rpartition('/')[2]}: {why[:300]}") from None
        self.counts.count(operation, "ok", **moved)


def _made_client() -> Any:
    try:
        import botocore.session
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise UsageError("--state s3://… needs the client of S3: pip install 'netops[s3]'") from None
    config = Config(
        connect_timeout=_CONNECT,
        read_timeout=_READ,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=_CONNECTIONS,
    )
    try:
        session = botocore.session.get_session()
        client = session.create_client("s3", os.environ.get("AWS_REGION"), config=config)
    except (BotoCoreError, ValueError) as error:
        raise UsageError(f"--state s3://…: {error}") from None
    # As a header, because the client that MLRun 1.12 takes has no parameter If-Match of PutObject.
    client.meta.events.register("before-parameter-build.s3.PutObject", _take_condition)
    client.meta.events.register("before-call.s3.PutObject", _add_condition)
    return client


def _take_condition(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    context["if_match"] = params.pop("IfMatch", None)


def _add_condition(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    if (etag := context.get("if_match")) is not None:
        params["headers"]["If-Match"] = etag


def _age(answer: Mapping[str, Any]) -> float:
    """Return the age of an object in seconds; both times are the store's."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return (parsedate_to_datetime(date) - answer["LastModified"]).total_seconds() if date else 0.0


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _reason(error: Any) -> str:
    found = error.response.get("Error", {})
    return f"{found.get('Code', 'error')}: {found.get('Message', '')}".rstrip(": .") + _HINTS.get(_code(error), "")
