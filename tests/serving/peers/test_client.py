"""Requests to peers that answer, redirect, answer too much, nonsense, or nothing."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from netops.serving.peers.addresses import parse_peer
from netops.serving.peers.client import NoPeerError, PeerAnswer, PeerClient, PeerError
from netops.serving.requests.parameters import Query
from tests.serving.hooks import Answer, Hook, free_port, status


def ask(url: str, token: str | None = "secret", limit: int = 1000, query: Query | None = None) -> PeerAnswer:
    async def run() -> PeerAnswer:
        client = PeerClient(0.5, token, limit)
        try:
            return await client.request(parse_peer(url), "POST", "/a%20b", query or {"x": "1 2", "n": 3}, b"[]")
        finally:
            await client.close()

    return asyncio.run(run())


class Seen(Hook):
    """Stores the heads of requests."""

    def __init__(self, answer: Answer) -> None:
        self.heads: list[tuple[str, dict[str, str]]] = []
        super().__init__(lambda *_: answer)

    def _handle(self, request) -> None:
        self.heads.append((request.path, dict(request.headers)))
        super()._handle(request)


def test_a_request_has_token_parameters_and_host() -> None:
    with Seen(status(200, b"{}", X_Netops="a")) as hook:
        answer = ask(hook.url)
    assert (answer.status, answer.body, answer.headers["x-netops"]) == (200, b"{}", "a")
    ((path, headers),) = hook.heads
    assert path == "/a%20b?x=1+2&n=3"
    assert (headers["Authorization"], headers["Host"]) == ("Bearer secret", hook.url.removeprefix("http://"))
    assert (headers["Content-Type"], headers["Accept-Encoding"]) == ("application/json", "identity")


def test_without_a_token_none_is_sent() -> None:
    with Seen(status(200)) as hook:
        ask(hook.url, None)
    assert "Authorization" not in hook.heads[0][1]


def test_a_redirect_is_not_followed() -> None:
    with Seen(status(200)) as other, Seen(status(307, Location=other.url)) as hook:
        assert ask(hook.url).status == 307
    assert other.heads == []


def test_a_large_answer_is_refused() -> None:
    with Seen(status(200, b"x" * 1001)) as hook, pytest.raises(PeerError, match="more than 1000 bytes"):
        ask(hook.url)
    with Seen(status(200, b"x" * 1000)) as hook:
        assert len(ask(hook.url).body) == 1000


@pytest.mark.parametrize("answer", [None, b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut"])
def test_nonsense_is_an_error(answer: Answer) -> None:
    with Seen(answer) as hook, pytest.raises(PeerError):
        ask(hook.url)


def test_no_server_is_an_error() -> None:
    with pytest.raises(NoPeerError, match="onnect"):
        ask(f"http://127.0.0.1:{free_port()}")


def test_text_that_no_address_can_contain_is_an_error_of_the_request() -> None:
    with Seen(status(200)) as hook, pytest.raises(PeerError, match="surrogates") as caught:
        ask(hook.url, query={"text": "\ud800"})
    assert not isinstance(caught.value, NoPeerError)


@contextmanager
def slow(piece: bytes) -> Iterator[str]:
    """A server that sends pieces of an answer that does not end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" if piece else b"")
                while not ended.wait(0.05):
                    connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        ended.set()
        thread.join()


@pytest.mark.parametrize("piece", [b"", b"x"])
def test_an_answer_that_does_not_come_in_time_is_an_error(piece: bytes) -> None:
    with slow(piece) as url, pytest.raises(PeerError, match=r"no answer within 0\.5 s"):
        ask(url)
