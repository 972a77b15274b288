"""The dashboard as people see it: in a browser, beside a server that is fed."""

import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.dashboard.conftest import Dashboard
from tests.dashboard.written import DONE, GOING, HOSTILE
from tests.serving.live import LiveServer
from tests.serving.log_models import TEXTS, log_columns, make_log_model
from tests.serving.samples import INTERVAL, START, sample

pytestmark = pytest.mark.slow

#: Texts of the first six cells of table rows.
CELLS_OF = "(rows) => rows.map((row) => [...row.cells].slice(0, 6).map((cell) => cell.textContent))"
#: Milliseconds until MLRun is loaded; until then its pages show a message.
LOADED = 90_000


def site_of(number: int) -> dict:
    return {"company": f"company {number % 2}", "data_center": f"site {number % 4}"}


class Feed:
    """Sends a sample of each device a tick; some are hot, some keep still."""

    def __init__(self, url: str, devices: int = 24) -> None:
        self.url, self.devices, self.tick = url, devices, 0
        self.hot: set[int] = set()
        self.still: set[int] = set()

    def send(self, ticks: int = 1) -> None:
        for _ in range(ticks):
            rows = [
                sample(f"leaf-{n}", self.tick, n in self.hot, **site_of(n))
                for n in range(self.devices)
                if n not in self.still
            ]
            assert httpx.post(f"{self.url}/telemetry", json=rows).status_code == 200
            self.tick += 1


@pytest.fixture(scope="module")
def feed(server) -> Feed:
    """A fleet that has run for a while: leaf-5 alerts, leaf-7 is silent."""
    feed = Feed(server.url)
    feed.send(20)
    feed.hot, feed.still = {5}, {7}
    feed.send(80)
    return feed


def drawn(page) -> None:
    page.locator("body[data-updates]").wait_for(state="attached")


def text_comes(page, selector: str, wanted: Callable[[str], bool], seconds: float = 10.0) -> float:
    """Wait until an element has the wanted text; return the seconds it took."""
    since = time.perf_counter()
    while time.perf_counter() - since < seconds:
        if wanted(page.locator(selector).text_content() or ""):
            return time.perf_counter() - since
        page.wait_for_timeout(20)
    raise AssertionError(f"{selector} says {page.locator(selector).text_content()!r}")


CELLS = "Bokeh.documents.at(-1)?.get_model_by_name('cells')?.data.x.length"


def cells_come(page, count: int, seconds: float = 10.0) -> None:
    """Wait until so many devices are drawn."""
    until = time.perf_counter() + seconds
    while page.evaluate(CELLS) != count:
        assert time.perf_counter() < until, f"{page.evaluate(CELLS)} devices are drawn, not {count}"
        page.wait_for_timeout(20)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_fleet_shows_what_alerts_and_what_is_silent(look, feed, theme):
    page = look("/fleet", theme)
    drawn(page)
    assert page.locator("html").get_attribute("data-theme") == theme
    text_comes(page, "#n-devices", lambda text: text == "24")
    assert page.locator("#n-alerts").text_content() == "1"
    assert page.locator("#n-silent").text_content() == "1"
    listed = page.locator("#open li").all_text_contents()
    assert [("leaf-5" in listed[0], "▲" in listed[0]), ("leaf-7" in listed[1], "✕" in listed[1])] == [
        (True, True)
    ] * 2
    assert page.locator("#plot canvas").count() > 0


@pytest.mark.timing
def test_a_sample_is_seen_within_two_seconds(look, feed):
    page = look("/fleet")
    drawn(page)
    took = []
    for _ in range(3):
        before = page.locator("#n-time").text_content()
        feed.send()
        took.append(text_comes(page, "#n-time", lambda text, before=before: text != before))
    assert max(took) < 2.0


def test_from_the_fleet_to_a_device_and_back(look, feed):
    page = look("/fleet")
    drawn(page)
    page.locator("#open").get_by_text("leaf-5").first.click()
    page.wait_for_url("**/device?device=leaf-5")
    drawn(page)
    assert "alerting" in page.locator("#d-state").text_content()
    assert page.locator("#d-location").text_content().strip() == "› company 1 › site 1"
    assert page.locator("#d-reasons .reason").count() == 3
    assert "still open" in page.locator("#d-alerts li").first.text_content()
    # Strips: the risk, and each of the four metrics.
    assert page.locator("#plot canvas").count() >= 5
    before = page.locator("#d-last").text_content()
    feed.send()
    text_comes(page, "#d-last", lambda text: text != before)
    page.go_back()
    drawn(page)
    assert page.url.endswith("/fleet")


def test_navigation_from_the_fleet_to_a_data_center_and_back(look, feed):
    page = look("/fleet")
    drawn(page)
    page.locator("#locations").select_option(label="company 1 (12)")
    cells_come(page, 12)
    page.mouse.click(*spot(page, "blocks", 1))
    cells_come(page, 6)
    assert page.locator("#locations").input_value() == '["company 1","site 3"]'
    # leaf-7 stands there and is silent; leaf-5, which alerts, does not.
    assert page.locator("#open-count").text_content() == "1 here"
    assert "leaf-7" in page.locator("#open").text_content()
    page.reload()
    drawn(page)
    page.keyboard.press("m")
    text_comes(page, "#announcement", lambda text: text.startswith("leaf-3 – company 1 · site 3"))
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    cells_come(page, 24)
    assert page.url.endswith("/fleet")
    page.go_back()
    cells_come(page, 12)


def test_feedback_on_an_alert_in_the_browser(look, feed):
    page = look("/device?device=leaf-5")
    drawn(page)
    button = page.locator("#d-alerts").get_by_role("button", name="False alarm")
    button.focus()
    page.keyboard.press("Enter")
    page.locator("#d-alerts [aria-pressed=true]").get_by_text("✓ False alarm").wait_for()
    page.wait_for_timeout(600)
    # The focus stays where it was, though the list is drawn anew.
    assert page.evaluate("document.activeElement.textContent") == "✓ False alarm"
    alerts = httpx.get(f"{feed.url}/alerts", params={"all": "true"}).json()
    assert [alert["verdict"] for alert in alerts if alert["device"] == "leaf-5"] == ["dismissed"]
    page.locator("#d-alerts").get_by_role("button", name="Failing").click()
    page.locator("#d-alerts [aria-pressed=true]").get_by_text("✓ Failing").wait_for()


SPOT = """([source, place]) => {
    const doc = Bokeh.documents.at(-1), { x, y } = doc.get_model_by_name(source).data;
    const plot = doc.get_model_by_name("fleet"), box = document.querySelector("#plot").getBoundingClientRect();
    const across = (x[place] - plot.x_range.start) / (plot.x_range.end - plot.x_range.start);
    const down = (y[place] - plot.y_range.end) / (plot.y_range.start - plot.y_range.end);
    return [box.left + across * plot.inner_width + 3, box.top + down * plot.inner_height];
}"""


def spot(page, source: str, index: int) -> list[float]:
    """Tell where on the page something of the heat map is drawn."""
    return page.evaluate(SPOT, [source, index])


def test_a_cell_leads_to_its_device(look, feed):
    page = look("/fleet")
    drawn(page)
    page.mouse.click(*spot(page, "cells", 0))
    page.wait_for_url("**/device?device=leaf-0")


@pytest.mark.parametrize("path", ["/fleet", "/device?device=leaf-5", "/models", f"/runs?run={DONE}&step=select"])
def test_a_phone_shows_pages_without_scrolling_aside(look, feed, path):
    page = look(path, width=390)
    drawn(page) if "run" not in path and "models" not in path else page.locator("h2").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_everything_can_be_reached_by_keyboard(look, feed):
    page = look("/fleet")
    drawn(page)
    page.keyboard.press("m")
    text_comes(page, "#announcement", lambda text: text.startswith("leaf-0 – company 0 · site 0"))
    page.keyboard.press("ArrowRight")
    text_comes(page, "#announcement", lambda text: text.startswith("leaf-4 "))
    page.keyboard.press("n")
    text_comes(page, "#announcement", lambda text: text.startswith("leaf-5 ") and "alert open" in text)
    page.keyboard.press("Enter")
    page.wait_for_url("**/device?device=leaf-5")
    page.keyboard.press("/")
    page.keyboard.type("leaf-12")
    page.locator("#found li").first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/device?device=leaf-12")
    page.keyboard.press("4")
    page.wait_for_url("**/runs")
    page.locator("#dag a").first.wait_for(timeout=LOADED)
    page.keyboard.press("m")
    assert page.evaluate("document.activeElement.id") == "step-generate"
    page.keyboard.press("Enter")
    page.wait_for_url("**step=generate*")
    page.keyboard.press("t")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()


def test_a_run_is_shown_as_its_graph_with_steps_inputs_outputs_and_logs(look, feed):
    page = look(f"/runs?run={DONE}")
    steps = page.locator("#dag a")
    steps.first.wait_for(timeout=LOADED)
    assert steps.count() == 6
    assert page.locator("#dag .edge").count() == 6
    assert steps.first.get_attribute("aria-label") == "generate: completed, 17.0 s"
    page.locator("#step-select").click()
    page.wait_for_url("**step=select*")
    reported = page.locator("#step").text_content()
    for wanted in ("xgboost", "store://datasets/netops/decision", "average_precision", "0.877", "6.0 s"):
        assert wanted in reported
    assert page.locator("#log").text_content().startswith("select began")
    # What a log or a result holds is text, whatever it looks like.
    assert page.title() == "Runs – NetOps"
    assert page.locator("#step img[src=x]").count() == 0


def test_a_run_under_way_shows_what_is_still_to_come(look, feed):
    page = look(f"/runs?run={GOING}")
    page.locator("#dag a").first.wait_for(timeout=LOADED)
    states = [label.split(": ")[1].split(",")[0] for label in labels(page)]
    assert sorted(states) == sorted(["completed", "running", *["waiting"] * 4])


def labels(page) -> list[str]:
    return [step.get_attribute("aria-label") for step in page.locator("#dag a").all()]


def test_models_are_shown_with_champion_challengers_and_history(look, feed):
    page = look("/models?theme=dark")
    page.locator("body[data-drawn]").wait_for(state="attached", timeout=LOADED)
    rows, compared = (
        page.locator(f"section.scroll:has-text('{title}') tbody tr") for title in ("Champion and", "Shadow:")
    )
    rows = rows.all_text_contents()
    assert len(rows) == 2
    assert "v2" in rows[0]
    assert "◐ shadow" in rows[0]
    assert "★ champion" in rows[1]
    assert "v1" in page.locator(".timeline").text_content()
    # Alerts opened, of these alone, incidents, warned of, false alarms.
    assert compared.evaluate_all(CELLS_OF) == [
        ["champion", "0", "0", "1", "0", "0"],
        ["challenger", "1", "1", "1", "1", "0"],
    ]
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_names_are_always_text(look, feed):
    hostile = sample(HOSTILE, feed.tick, company=HOSTILE, data_center=HOSTILE)
    assert httpx.post(f"{feed.url}/telemetry", json=hostile).json()["status"] == "scored"
    page = look("/fleet")
    drawn(page)
    text_comes(page, "#n-devices", lambda text: text == "25")
    cells_come(page, 25)
    page.keyboard.press("/")
    page.keyboard.type("onerror")
    page.locator("#found li").first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/device?device=*onerror*")
    drawn(page)
    assert HOSTILE in page.locator("h1").text_content()
    assert HOSTILE in page.locator("#d-location").text_content()
    assert page.locator("img[src=x]").count() == 0
    assert page.title() == f"{HOSTILE} – NetOps"


def test_the_demo_is_a_fleet_that_lives(look, home):
    demo = Dashboard("", home)
    try:
        page = look("/fleet", url=demo.url)
        text_comes(page, "#n-devices", lambda text: text == "200", 90)
        drawn(page)
        for _ in range(3):
            before = page.locator("#n-time").text_content()
            text_comes(page, "#n-time", lambda text, before=before: text != before, 30)
        cells_come(page, 200)
        page.close()
    finally:
        code = demo.stop()
    assert code == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{demo.server}/healthz")


def test_a_lost_server_is_reported_and_recovers(look, feed, server):
    page = look("/fleet")
    drawn(page)
    server.stop()
    page.locator("#trouble").get_by_text("netops serve").wait_for()
    assert "no server" in page.locator("#live-text").text_content()
    server.start()
    text_comes(page, "#live-text", lambda text: text == "live", 20)
    assert page.locator("#trouble").is_hidden()


def test_with_a_token_a_browser_is_asked_for_it(look, feed, home):
    guarded = Dashboard(feed.url, home, NETOPS_TOKEN="secret")
    try:
        page = look("/device?device=leaf-5", url=guarded.url)
        assert page.url.endswith("/login")
        page.keyboard.type("secret")
        page.keyboard.press("Enter")
        page.wait_for_url("**/fleet")
        drawn(page)
        page.close()
    finally:
        assert guarded.stop() == 0


@pytest.fixture(scope="module")
def log_dashboard(tmp_path_factory: pytest.TempPathFactory, home) -> Iterator[Dashboard]:
    """A dashboard of a server that keeps log messages; a device has a slash in its name."""
    folder = tmp_path_factory.mktemp("logs")
    model = make_log_model(folder / "model", log_columns(TEXTS[0]))
    with LiveServer(model, folder / "state", messages__keep=50) as live:
        for tick in range(40):
            httpx.post(f"{live.url}/telemetry", json=[sample(device, tick) for device in ("leaf/1", "leaf-2")])
            at = START + tick * INTERVAL + 2
            records = [{"time": at, "host": "leaf/1", "level": "info", "message": TEXTS[tick % 2 + 2]}]
            if tick > 30:
                records.append({"time": at, "host": "leaf/1", "level": "error", "message": TEXTS[0]})
            assert httpx.post(f"{live.url}/logs", json=records).json()["counted"] == len(records)
        httpx.post(f"{live.url}/logs", json={**records[0], "message": "login of <b>bob</b>, password: hunter2"})
        httpx.post(f"{live.url}/logs", json={**records[0], "level": "blue", "message": "of unknown severity"})
        started = Dashboard(live.url, home)
        yield started
        started.stop()


def test_log_messages_of_a_device_are_drawn_and_found(look, log_dashboard):
    page = look("/device?device=leaf%2F1", url=log_dashboard.url)
    drawn(page)
    rows = page.locator("#d-log-lines tr")
    text_comes(page, "#d-log-about", lambda text: text == "the last 50, secrets masked; 50 listed")
    assert "✱ login of <b>bob</b>, password: ***" in rows.locator("td.message").all_text_contents()
    assert page.evaluate("Bokeh.documents.at(-1).get_model_by_name('lane').renderers.length") == 2
    page.locator("#d-log-search [name=text]").fill("updown")
    text_comes(page, "#d-log-about", lambda text: text.endswith("; 9 listed"))
    page.locator("#d-log-search [name=severity]").select_option("3")
    page.locator("#d-log-search [name=text]").fill("")
    text_comes(page, "#d-log-about", lambda text: text.endswith("; 9 listed"))
    assert set(rows.locator("td:nth-child(2)").all_text_contents()) == {"▲ error"}


def test_only_all_severities_include_the_unknown_one(look, log_dashboard):
    page = look("/device?device=leaf%2F1", url=log_dashboard.url)
    drawn(page)
    unknown = page.locator("#d-log-lines td.message", has_text="of unknown severity")
    unknown.wait_for()
    page.locator("#d-log-search [name=severity]").select_option("3")
    text_comes(page, "#d-log-about", lambda text: text.endswith("; 9 listed"))
    assert unknown.count() == 0


def test_alerts_are_refreshed_if_log_messages_cannot_be_read(look, log_dashboard):
    page = look("/device?device=leaf-2", url=log_dashboard.url)
    drawn(page)
    text_comes(page, "#d-no-logs", lambda text: text == "None.")
    page.route("**/data/logs?*", lambda route: route.fulfill(json={"error": "no such endpoint"}))
    before = page.locator("body").get_attribute("data-updates")
    page.evaluate("dispatchEvent(new Event('themechange'))")
    page.wait_for_function("before => document.body.dataset.updates !== before", arg=before)
    assert page.locator("#d-no-logs").text_content().startswith("✕ ")
    assert "Cannot read" not in page.locator("#d-state").text_content()
    page.unroute("**/data/logs?*")
    page.evaluate("dispatchEvent(new Event('themechange'))")
    text_comes(page, "#d-no-logs", lambda text: text == "None.")
