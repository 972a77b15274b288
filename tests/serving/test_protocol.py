"""Hostile connections: each limit holds, and everybody else is answered meanwhile."""

import json
import socket
import time
from contextlib import ExitStack, suppress

import httpx
import psutil
import pytest

from tests.serving.live import LiveServer
from tests.serving.models import SPEC
from tests.serving.samples import sample

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def live(model, tmp_path_factory):
    with LiveServer(
        model, tmp_path_factory.mktemp("live"), limits__receive_seconds=2, limits__connections=64
    ) as server:
        yield server


def opened(live, stack, count=1):
    return [stack.enter_context(socket.create_connection(("127.0.0.1", live.port))) for _ in range(count)]


def push(connections, data, seconds):
    """Send as much as the server takes; give how much that was."""
    sent, end = 0, time.monotonic() + seconds
    waiting = dict.fromkeys(connections, 0)
    for connection in connections:
        connection.setblocking(False)
    while waiting and time.monotonic() < end:
        progress = False
        for connection, at in list(waiting.items()):
            try:
                done = connection.send(data[at : at + 65_536])
            except BlockingIOError:
                continue
            except OSError:
                del waiting[connection]
                continue
            progress, sent, waiting[connection] = True, sent + done, at + done
            if at + done >= len(data):
                del waiting[connection]
        if not progress:
            time.sleep(0.005)
    return sent


def slowest_health(live, seconds):
    worst, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        since = time.perf_counter()
        with socket.create_connection(("127.0.0.1", live.port)) as connection:
            connection.sendall(GET)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        worst = max(worst, time.perf_counter() - since)
        time.sleep(0.02)
    return worst


def answered(connection, seconds=5):
    connection.settimeout(seconds)
    found = b""
    try:
        while part := connection.recv(65_536):
            found += part
    except OSError:
        pass
    return found


@pytest.mark.timing
def test_pipelined_requests_with_unread_responses_use_no_memory(live):
    """L1: 9 MB a connection cost 270 MB; 63 of them stopped the server."""
    memory = psutil.Process(live.process.pid).memory_info
    before = memory().rss
    with ExitStack() as stack:
        push(opened(live, stack, 50), GET * (9_000_000 // len(GET)), 1.5)
        worst = slowest_health(live, 1.0)
        grown = memory().rss - before
    assert grown < 50e6
    assert worst < 0.2  # benchmarks/serving_stalls.py finds 0.04


@pytest.mark.slow
def test_an_answer_that_is_never_read_ends_its_connection(live):
    with ExitStack() as stack:
        connection = stack.enter_context(socket.socket())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", live.port))
        push([connection], GET * 20_000, 1)
        time.sleep(4)
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            for _ in range(20):
                connection.sendall(GET * 1000)


@pytest.mark.slow
def test_requests_sent_ahead_are_all_answered_when_their_answers_are_read(live):
    with ExitStack() as stack:
        (connection,) = opened(live, stack)
        count = 3000
        connection.sendall(GET * (count - 1) + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert answered(connection).count(b"HTTP/1.1 200") == count


@pytest.mark.slow
def test_a_large_body_and_the_next_request_are_accepted(live):
    body = json.dumps({"timestamp": 1, "device": "a", "note": "x" * 700_000}).encode()
    post = b"POST /telemetry HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
    chunked = b"POST /telemetry HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked += b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with ExitStack() as stack:
        (connection,) = opened(live, stack)
        connection.sendall(post + body + GET + chunked + last)
        assert answered(connection).count(b"HTTP/1.1 200") == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"414"),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 60_000 + b"\r\n\r\n", b"431"),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 101 + b"\r\n", b"431"),
        (b"no such thing\r\n\r\n", b"400"),
    ],
)
def test_a_long_head_is_refused(live, head, status):
    """L2: no limit held for headers or the URL."""
    with ExitStack() as stack:
        (connection,) = opened(live, stack)
        connection.sendall(head)
        assert answered(connection).startswith(b"HTTP/1.1 " + status)


@pytest.mark.slow
def test_an_endless_head_does_not_delay_others(live):
    """L2: one connection kept the event loop for 12 s at a time."""
    endless = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"x: y\r\n" * 3_000_000
    with ExitStack() as stack:
        push(opened(live, stack, 4), endless, 0.5)
        assert slowest_health(live, 0.5) < 0.5


@pytest.mark.slow
def test_half_requests_cause_no_503_for_others(live):
    """L2: 63 half requests filled all connections."""
    with ExitStack() as stack:
        for connection in opened(live, stack, 80):
            connection.sendall(b"GET / HT")
        for _ in range(20):
            assert httpx.get(live.url + "/healthz").status_code == 200


INFER = "/v2/models/netops/infer"
VECTOR = json.dumps({"inputs": [[0.0] * len(SPEC.names)]}).encode()


def post(body=VECTOR, path=INFER, version="1.1", host="localhost", **headers):
    lines = [f"POST {path} HTTP/{version}", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def parsed(answers):
    """The answers of a connection: status, headers without the length, and body without what varies."""
    found = []
    while answers:
        head, _, rest = answers.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ") for line in lines)
        length = int(headers.pop("content-length", 0))
        body = json.loads(rest[:length]) if length else {}
        found.append((first, headers, {name: body[name] for name in body if name != "timestamp"}))
        answers = rest[length:]
    return found


@pytest.mark.parametrize(
    ("status", "path", "more"),
    [
        ("200 OK", INFER, {}),
        ("200 OK", INFER, {"Origin": "http://localhost"}),
        ("403 Forbidden", INFER, {"Origin": "http://elsewhere"}),
        ("403 Forbidden", INFER, {"Sec_Fetch_Site": "cross-site"}),
        ("400 Bad Request", INFER, {"host": "elsewhere"}),
        ("400 Bad Request", INFER, {"content": b"{}"}),
        ("200 OK", "/telemetry", {"content": b"no json"}),
    ],
)
def test_small_requests_have_the_answers_of_large_ones(live, status, path, more):
    """Small ones pass ASGI by."""
    headers = dict(more)
    content = headers.pop("content", VECTOR)
    with ExitStack() as stack:
        found = []
        for size in (0, 70_000):
            (connection,) = opened(live, stack)
            connection.sendall(post(content + b" " * size, path, Connection="close", **headers))
            found += parsed(answered(connection))
    small, large = found
    assert small[0] == f"HTTP/1.1 {status}"
    assert small == large
    assert small[1]["connection"] == "close"
    assert small[1]["x-content-type-options"] == "nosniff"


def test_requests_of_all_kinds_are_answered_in_their_order(live):
    large = json.dumps({"inputs": [[1.0] * len(SPEC.names)] * 3}).encode() + b" " * 70_000
    ahead = post() + post(large) + GET + post(b"{}") + post() + post(b"[]", "/telemetry") + post(Connection="close")
    with ExitStack() as stack:
        (connection,) = opened(live, stack)
        connection.sendall(ahead)
        found = parsed(answered(connection))
    assert [int(first.split()[1]) for first, _, _ in found] == [200, 200, 200, 400, 200, 200, 200]
    assert [len(body.get("outputs", ())) for _, _, body in found] == [1, 3, 0, 0, 1, 0, 1]


@pytest.mark.slow
def test_a_body_in_pieces_is_awaited_and_one_that_ends_early_harms_nobody(live):
    request = post(Connection="close")
    with ExitStack() as stack:
        (connection,) = opened(live, stack)
        for start in range(0, len(request), 60):
            connection.sendall(request[start : start + 60])
            time.sleep(0.05)
        assert parsed(answered(connection))[0][0] == "HTTP/1.1 200 OK"
        for connection in opened(live, stack, 20):
            connection.sendall(request[:-5])
            connection.close()
        slow, waiting = opened(live, stack, 2)
        slow.sendall(request[:-5])  # its time ends
        waiting.sendall(post(version="1.0"))
        assert parsed(answered(waiting))[0][0] == "HTTP/1.1 200 OK"
        assert answered(slow) == b""


def test_a_body_that_asks_first_is_invited(live):
    with ExitStack() as stack:
        (connection,) = opened(live, stack)
        request = post(Expect="100-continue", Connection="close")
        connection.sendall(request[: -len(VECTOR)])
        connection.settimeout(5)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(VECTOR)
        assert parsed(answered(connection))[0][0] == "HTTP/1.1 200 OK"


def test_whatever_cannot_be_encoded_has_an_answer(live):
    """An id of the greatest depth is read with a shorter stack than it is written with."""
    with ExitStack() as stack:
        for depth in range(900, 1010, 2):
            nested = b"[" * depth + b"]" * depth
            content = b'{"inputs": [], "id": %b}' % nested + b" " * 5000
            (connection,) = opened(live, stack)
            connection.sendall(post(content, Connection="close"))
            assert answered(connection).startswith(b"HTTP/1.1 ")


def rows(count, tick=0):
    """The content of a request."""
    return json.dumps([sample(f"d{number}", tick) for number in range(count)]).encode()


@pytest.mark.slow
def test_the_rest_of_a_request_is_read_once_the_answer_before_it_is(live):
    request = post(VECTOR + b" " * 6000, Connection="close")
    with ExitStack() as stack:
        connection = stack.enter_context(socket.socket())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", live.port))
        connection.sendall(post(rows(9000), "/telemetry"))
        time.sleep(1)  # the answer is larger than what is sent of it
        connection.sendall(request[:3000])
        time.sleep(0.3)
        connection.settimeout(0.5)
        found = b""
        with suppress(TimeoutError):
            while part := connection.recv(65_536):
                found += part
        connection.sendall(request[3000:])
        found += answered(connection)
    assert found.count(b"HTTP/1.1 200") == 2


@pytest.mark.slow
def test_what_is_answered_while_the_server_stops_is_saved(model, tmp_path):
    content = json.dumps(sample("late", 1)).encode()
    with LiveServer(model, tmp_path, limits__receive_seconds=60) as server, ExitStack() as stack:
        for tick in range(2):  # the last snapshot takes a while
            httpx.post(f"{server.url}/telemetry", content=rows(9000, tick)).raise_for_status()
        connections = opened(server, stack, 60)
        for number, connection in enumerate(connections):
            connection.sendall(post(content.replace(b"late", b"late-%02d" % number), "/telemetry")[:-3])
        time.sleep(0.3)
        server.process.terminate()
        time.sleep(4.9)  # the end of the time for requests in progress
        for connection in connections:
            with suppress(OSError):
                connection.sendall(content[-3:])
            time.sleep(0.02)
        scored = [number for number, one in enumerate(connections) if b'"scored"' in answered(one, 1)]
        assert server.process.wait(30) == 0
        server.start()
        for number in scored:
            body = content.replace(b"late", b"late-%02d" % number)
            again = httpx.post(f"{server.url}/telemetry", content=body).json()
            assert again["status"] == "duplicate", number
