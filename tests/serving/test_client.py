"""The client of a server, against real sockets."""

import asyncio

import pytest

from netops.client.http import Connection, RefusedError
from netops.errors import UsageError
from tests.serving.hooks import Hook, free_port, status

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n[1, 2, 3\r\n1\r\n]\r\n0\r\n\r\n"


def ask(url, *requests):
    async def run():
        connection = Connection(url)
        try:
            return [await connection.post("/x", request) for request in requests]
        finally:
            await connection.close()

    return asyncio.run(run())


def test_a_chunked_answer_is_read_completely():
    with Hook(lambda *_: CHUNKED) as hook:
        assert ask(hook.url, {}) == [b"[1, 2, 3]"]


def test_a_connection_that_was_lost_is_opened_again():
    with Hook(lambda body, times: None if body == 2 and times == 1 else status(200, b"ok")) as hook:

        async def run():
            connection = Connection(hook.url + "/")
            first = await connection.post("/x", 1)
            with pytest.raises(ConnectionError):
                await connection.post("/x", 2)
            second = await connection.post("/x", 2)
            await connection.close()
            return first, second

        assert asyncio.run(run()) == (b"ok", b"ok")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (status(500), ConnectionError),
        (status(404, b"no such path"), RefusedError),
        (status(302, Location="/elsewhere"), RefusedError),
        (b"nonsense\r\n\r\n", ConnectionError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", ConnectionError),
    ],
)
def test_what_is_no_good_answer_is_an_error(answer, error):
    with Hook(lambda *_: answer) as hook:
        with pytest.raises(error):
            ask(hook.url, {})
        assert len(hook.seen) == 1


def test_no_server_is_a_lost_connection():
    with pytest.raises(ConnectionError):
        ask(f"http://127.0.0.1:{free_port()}", {})


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://x", "http://"])
def test_an_address_without_a_server_is_refused(url):
    with pytest.raises(UsageError, match="is not a valid address"):
        Connection(url)
