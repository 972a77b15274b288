"""What a browser may be made to send, how answers are marked, and what a token may be."""

import httpx
import pytest

from netops.errors import UsageError
from netops.serving.requests.access import TOKEN, carries, token_for

pytest.importorskip("mlrun")


def test_a_page_whose_name_was_pointed_at_this_machine_is_refused(server):
    """L5: any Host was answered."""
    for host, status in (("evil.example", 400), ("127.0.0.1:1", 200), ("[::1]", 200), ("[", 400), ("", 400)):
        assert httpx.get(server + "/devices", headers={"host": host}).status_code == status


@pytest.mark.parametrize("path", ["/incidents", "/telemetry", "/alerts/x/feedback", "/v2/models/netops/infer"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_a_page_elsewhere_may_not_post(server, path, origin):
    """L5: any web page could post incidents and feedback."""
    answer = httpx.post(server + path, content=b"[]", headers={"origin": origin, "content-type": "text/plain"})
    assert answer.status_code == 403


def test_a_page_elsewhere_may_not_embed_what_costs_work(server):
    embedded = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert httpx.get(server + "/metrics", headers=embedded).status_code == 403
    assert httpx.get(server + "/metrics", headers={"sec-fetch-site": "none"}).status_code == 200
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert httpx.get(server + "/devices", headers=link).status_code == 200
    assert httpx.post(server + "/incidents", content=b"[]", headers=link).status_code == 403


def test_every_answer_has_nosniff(server):
    """L7: no nosniff."""
    for path in ("/healthz", "/metrics", "/nothing", "/devices"):
        assert httpx.get(server + path).headers["x-content-type-options"] == "nosniff"
    assert httpx.post(server + "/telemetry", content=b"[]").headers["x-content-type-options"] == "nosniff"


def test_a_probe_may_ask_with_head(server):
    """L7: HEAD /healthz was answered 405."""
    answer = httpx.head(server + "/healthz")
    assert (answer.status_code, answer.content) == (200, b"")
    assert httpx.head(server + "/telemetry").status_code == 405


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "schlüssel", " ", "\n", "a\tb", "\x7f"])
def test_a_token_that_no_header_can_carry_is_refused(monkeypatch, token):
    """L7: a newline locked everybody out, a blank was taken."""
    monkeypatch.setenv(TOKEN, token)
    with pytest.raises(UsageError, match="visible ASCII"):
        token_for("127.0.0.1")


def test_what_surrounds_a_token_in_a_file_is_dropped(monkeypatch):
    monkeypatch.setenv(TOKEN, " secret\r\n")
    assert token_for("0.0.0.0") == "secret"
    monkeypatch.setenv(TOKEN, "")
    assert token_for("127.0.0.1") is None
    with pytest.raises(UsageError, match="is not a local address"):
        token_for("0.0.0.0")


def test_a_token_of_any_content_is_compared():
    assert carries("Bearer secret", "secret")
    assert carries(b"Bearer secret", "secret")
    for wrong in ("", "Bearer ", "Bearer secretx", "secret", "Bearer s\ud800", "Bearer ä"):
        assert not carries(wrong, "secret")
