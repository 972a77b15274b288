"""The dashboard's HTTP side, in process."""

import gzip
import json

import pytest
from litestar.testing import TestClient

from netops.dashboard.app import make_app
from netops.dashboard.demo import demo_server
from netops.dashboard.follower import Follower, delta
from netops.dashboard.records import Records
from netops.errors import NetopsError
from netops.serving.alerts.store import Alert
from tests.dashboard.test_fleet import answer

#: Nobody listens there.
NOWHERE = "http://127.0.0.1:9"
PAGE = {"accept": "text/html"}


@pytest.fixture
def client_of():
    stores = []

    def begin(token=None, local=True, base="http://127.0.0.1"):
        stores.append(Records())
        follower = Follower(NOWHERE)
        follower.fleet.apply(answer({"leaf-1": 0.2, "leaf-2": None, "<b>": 0.9}), full=True)
        app = make_app(follower, stores[-1], token, local)
        return TestClient(app, base_url=base, raise_server_exceptions=False)

    yield begin
    for store in stores:
        store.close()


def test_pages_answer_and_name_their_scripts(client_of):
    client = client_of()
    assert client.get("/", follow_redirects=False).headers["location"] == "/fleet"
    page = client.get("/fleet")
    assert page.status_code == 200
    assert "script-src" not in page.headers["content-security-policy"]
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for name in ("bokeh.min.js", "fleet.js", "page.js", "style.css"):
        assert f"/static/{name}?" in page.text
        asset = client.get(f"/static/{name}")
        assert "immutable" in asset.headers["cache-control"]
        assert len(asset.text) > 100
    assert client.get("/static/nothing.js").status_code == 404
    assert client.get("/static/..%2fapp.py").status_code == 404
    assert client.get("/nowhere", headers=PAGE).status_code == 404


def test_the_list_of_open_alerts_names_the_last_renewal():
    opened, renewed = "2026-01-05T00:02:00Z", ["2026-01-05T00:12:00Z", "2026-01-05T00:22:00Z"]
    follower = Follower(NOWHERE)
    follower.alerts = [
        Alert(id=device, kind="risk", network="n", device=device, opened=opened, renewed=times)
        for device, times in (("a", renewed), ("b", []))
    ]
    shown = {alert["device"]: alert["renewed"] for alert in delta(follower, full=True)["open"]}
    assert shown == {"a": renewed[-1], "b": None}


def test_pages_wait_while_mlrun_is_loaded(client_of):
    for path in ("/models", "/runs"):
        page = client_of().get(path)
        assert page.status_code == 200
        assert '<meta http-equiv="refresh"' in page.text


def test_devices_are_found_by_name_and_location(client_of):
    client = client_of()
    assert [found["device"] for found in client.get("/data/find?text=LEAF").json()] == ["leaf-1", "leaf-2"]
    assert len(client.get("/data/find?text=d").json()) == 3
    assert client.get("/data/find?text=nothing").json() == []


@pytest.mark.parametrize("theme", ["light", "dark", "other"])
def test_plots_are_json_without_anything_that_is_no_number(client_of, theme):
    client = client_of()
    fleet = client.get(f"/plots/fleet?theme={theme}")
    assert "NaN" not in fleet.text.replace('"nan', "")
    assert (fleet.json()["version"], fleet.json()["sites"]) == (1, [["c", "d", 3]])
    metrics = json.dumps(["cpu", "a,b"])
    assert client.get("/plots/device", params={"metrics": metrics, "theme": theme}).status_code == 200
    assert client.get("/plots/device?metrics=no").status_code == 400


def test_no_more_is_drawn_at_once_than_a_page_shows(client_of):
    """L4: 3,000 names took over ten minutes, on the event loop, and any web page could ask for them."""
    client = client_of()
    for names in ([f"m{number}" for number in range(3000)], ["m" * 10_000]):
        assert client.get("/plots/device", params={"metrics": json.dumps(names)}).status_code == 400
    embedded = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get("/plots/device?metrics=[]", headers=embedded).status_code == 403


def test_the_form_is_sent_with_all_headers_and_takes_no_long_body(client_of):
    """L4: /login had no security headers."""
    client = client_of("secret")
    long = client.post("/login", data={"token": "x" * 70_000})
    assert long.status_code == 413
    for found in (client.get("/login"), client.get("/healthz"), long):
        assert found.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in found.headers["content-security-policy"]


def test_a_map_is_of_a_location(client_of):
    client = client_of()
    whole, part = (client.get("/plots/fleet", params={"at": at}).json() for at in ("[]", '["c", "other"]'))
    assert "leaf-2" in json.dumps(whole["item"])
    assert "leaf-2" not in json.dumps(part["item"])
    assert client.get("/plots/fleet?at=c").status_code == 400


def test_an_unreachable_server_and_unknown_devices_are_reported(client_of):
    client = client_of()
    answer = client.get("/data/device?device=leaf-1")
    assert answer.status_code == 502
    assert "netops serve" in answer.json()["error"]
    answer = client.get("/data/device?device=leaf-3")
    assert answer.status_code == 404
    assert "leaf-" in answer.json()["error"]


def test_a_token_is_asked_of_programs_and_people(client_of):
    client = client_of("secret", local=False, base="http://dashboard.example")
    for path in ("/fleet", "/events", "/data/find", "/plots/fleet", "/picture?step=a&key=b"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"authorization": "Bearer other"}).status_code == 401
    assert client.get("/data/find", headers={"authorization": "Bearer secret"}).status_code == 200
    sent = client.get("/fleet", headers=PAGE, follow_redirects=False)
    assert (sent.status_code, sent.headers["location"]) == (303, "/login")
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/login").status_code == 200
    assert client.post("/login", data={"token": "wrong"}).status_code == 401
    entered = client.post("/login", data={"token": "secret"}, follow_redirects=False)
    assert entered.status_code == 303
    cookie = entered.headers["set-cookie"]
    assert "secret" not in cookie
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert client.get("/fleet").status_code == 200


def test_on_this_machine_no_foreign_name_is_answered(client_of):
    client = client_of()
    for host, status in (("rebound.example", 400), ("localhost:8090", 200), ("[::1]:8090", 200), ("[", 400)):
        assert client.get("/fleet", headers={"host": host}).status_code == status


def test_files_are_sent_as_they_are():
    from netops.dashboard.assets import HERE, assets

    assert gzip.decompress(assets()["page.js"].packed) == (HERE / "page.js").read_bytes()


def test_foreign_pages_cannot_send_feedback(client_of):
    client = client_of()
    statement = {"alert": "3fd2", "verdict": "confirmed"}
    assert client.post("/data/verdict", json=statement, headers={"origin": "http://elsewhere"}).status_code == 403
    assert client.post("/data/verdict", json=statement, headers={"origin": "null"}).status_code == 403
    assert client.post("/data/verdict", json=statement | {"verdict": "other"}).status_code == 400
    own = client.post("/data/verdict", json=statement, headers={"origin": "http://127.0.0.1", "host": "127.0.0.1"})
    assert own.status_code == 502  # it went on to the server, which is not there


def test_the_demo_reports_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("NETOPS_HOME", str(tmp_path))
    monkeypatch.setenv("MLRUN_DBPATH", "")
    with pytest.raises(NetopsError, match="no champion; train one: netops run"), demo_server():
        pass
