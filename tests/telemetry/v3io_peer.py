"""The web API of v3io in memory, over HTTP: it decodes what the real client sends for streams and objects.

It shows that addresses, records, shards and keys go over the wire and back as meant. It is no v3io: retention,
limits, consumer groups and access rights of the platform are not in it.
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote
from zlib import crc32

from tests.servers import LocalServer

Shard = list[dict[str, Any]]


class Platform:
    """The streams and objects there are, by their paths."""

    def __init__(self) -> None:
        self.streams: dict[str, list[Shard]] = {}
        self.objects: dict[str, bytes] = {}
        self.keys: set[str] = set()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.clock = 1_767_614_400
        #: So many of the next records are refused.
        self.refuse = 0
        self.fail = 0

    def records(self, path: str) -> list[dict[str, Any]]:
        """Return what lies in a stream, decoded, shard by shard."""
        return [json.loads(base64.b64decode(record["Data"])) for shard in self.streams[path] for record in shard]

    def create_stream(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path in self.streams:
            return 409, {"ErrorMessage": "the stream exists"}
        self.streams[path] = [[] for _ in range(body["ShardCount"])]
        return 204, None

    def describe_stream(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path not in self.streams:
            return 404, {"ErrorCode": -2, "ErrorMessage": "no such\nstream"}
        return 200, {"ShardCount": len(self.streams[path]), "RetentionPeriodHours": 24}

    def put_records(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        shards = self.streams[path]
        results = [self._put(shards, record) for record in body["Records"]]
        return 200, {"FailedRecordCount": sum("ErrorCode" in result for result in results), "Records": results}

    def _put(self, shards: list[Shard], record: dict[str, Any]) -> dict[str, Any]:
        if self.refuse:
            self.refuse -= 1
            return {"ErrorCode": -11, "ErrorMessage": "try again"}
        shard = crc32(record.get("PartitionKey", "").encode()) % len(shards)
        shards[shard].append(record | {"ArrivalTimeSec": self.clock, "ArrivalTimeNSec": 5})
        return {"ShardId": shard, "SequenceNumber": len(shards[shard])}

    def seek_shard(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        path, _, shard = path.rpartition("/")
        records, index = self.streams[path][int(shard)], 0
        if body["Type"] == "TIME":
            index = sum(record["ArrivalTimeSec"] < body["TimestampSec"] for record in records)
        return 200, {"Location": str(index)}

    def get_records(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        path, _, shard = path.rpartition("/")
        records, index = self.streams[path][int(shard)], int(body["Location"])
        found = [
            record | {"SequenceNumber": index + number + 1}
            for number, record in enumerate(records[index : index + body["Limit"]])
        ]
        behind = len(records) - index - len(found)
        return 200, {
            "NextLocation": str(index + len(found)),
            "MSecBehindLatest": 0,
            "RecordsBehindLatest": behind,
            "Records": found,
        }


_FUNCTIONS = {
    "CreateStream": Platform.create_stream,
    "DescribeStream": Platform.describe_stream,
    "PutRecords": Platform.put_records,
    "SeekShard": Platform.seek_shard,
    "GetRecords": Platform.get_records,
}


@contextmanager
def web_api(platform: Platform) -> Iterator[str]:
    """Serve a platform; gives host and port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            platform.keys.add(self.headers.get("X-v3io-session-key", ""))
            path = unquote(self.path.partition("?")[0]).strip("/")
            if platform.fail:
                self._answer(platform.fail, {"ErrorMessage": "not\ntoday"})
            elif function := self.headers.get("X-v3io-function"):
                asked = json.loads(body) if body else {}
                platform.asked.append((function, asked))
                self._answer(*_FUNCTIONS[function](platform, path, asked))
            else:
                before = platform.objects.get(path, b"") if self.headers.get("Range") == "-1" else b""
                platform.objects[path] = before + body
                self._answer(200, None)

        do_POST = do_PUT

        def do_GET(self) -> None:
            path = unquote(self.path.partition("?")[0]).strip("/")
            found = platform.objects.get(path)
            if found is None:
                self._answer(404, {"ErrorMessage": "no such object"})
            else:
                self._bytes(200, found)

        do_HEAD = do_GET

        def _answer(self, status: int, value: Any) -> None:
            self._bytes(status, b"" if value is None else json.dumps(value).encode())

        def _bytes(self, status: int, content: bytes) -> None:
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD" and status != 204:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = LocalServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
