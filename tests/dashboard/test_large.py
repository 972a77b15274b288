"""A large fleet in a browser: how long the first view takes, and how long a sample until it is seen.

python -m pytest -m soak -o addopts="" -s tests/dashboard measures it for 10,000 devices.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest

from tests.dashboard.conftest import Dashboard
from tests.serving.live import LiveServer
from tests.serving.models import make_model
from tests.serving.samples import INTERVAL, START, sample

pytestmark = pytest.mark.slow

BATCH, SITES, PER_COMPANY = 5000, 40, 4
FIRST_VIEW, UPDATE = 3.0, 1.0
PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(Date.now() / 1000))))"
#: Wait until the samples' time is shown, and the heat map is painted with their risks.
SHOWN = """(wanted) => new Promise((done) => {
    const painted = () => requestAnimationFrame(() => requestAnimationFrame(() => done(Date.now() / 1000)));
    const look = () => document.querySelector("#n-time").textContent === wanted ? painted() : setTimeout(look, 5);
    look();
})"""


class LargeFleet:
    """Devices of 40 data centers of 10 companies."""

    def __init__(self, url: str, devices: int) -> None:
        self.url, self.devices, self.tick = url, devices, 0

    def send(self, hot: Callable[[int], bool] = lambda _number: False) -> None:
        for first in range(0, self.devices, BATCH):
            numbers = range(first, min(first + BATCH, self.devices))
            rows = [sample(f"leaf-{n}", self.tick, hot(n), **self.site_of(n % SITES)) for n in numbers]
            assert httpx.post(f"{self.url}/telemetry", json=rows, timeout=120).status_code == 200
        self.tick += 1

    @property
    def newest(self) -> str:
        """The time of the newest samples, as the page writes it."""
        return datetime.fromtimestamp(START + (self.tick - 1) * INTERVAL, UTC).strftime("%Y-%m-%d %H:%M:%S")

    def site_of(self, site: int) -> dict[str, str]:
        return {"company": f"company {site // PER_COMPANY}", "data_center": f"site {site}"}


@pytest.fixture(
    scope="module", params=[pytest.param(2000, id="2000"), pytest.param(10_000, id="10000", marks=pytest.mark.soak)]
)
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LargeFleet]:
    folder = tmp_path_factory.mktemp("large")
    with LiveServer(make_model(folder / "model"), folder / "state") as live:
        fleet = LargeFleet(live.url, request.param)
        for _ in range(3):
            fleet.send()
        yield fleet


def test_a_large_fleet_is_seen_at_once_and_followed(look, fleet, tmp_path):
    dashboard = Dashboard(fleet.url, tmp_path)
    try:
        view = best(lambda: first_view(look, dashboard, fleet), FIRST_VIEW)
        page = look("/fleet", url=dashboard.url)
        page.locator("body[data-updates]").wait_for(state="attached")
        update = best(lambda: update_of(page, fleet), UPDATE)
        page.close()
    finally:
        dashboard.stop()
    print(f"\n{fleet.devices:,} devices: first view {view:.2f} s, sample to picture {update:.2f} s")
    assert view < FIRST_VIEW
    assert update < UPDATE


def best(measure: Callable[[], float], limit: float) -> float:
    """Measure three times, and again where the machine does other work besides; give the best."""
    measured = [measure() for _ in range(3)]
    while min(measured) >= limit and len(measured) < 6:
        measured.append(measure())
    return min(measured)


def first_view(look, dashboard: Dashboard, fleet: LargeFleet) -> float:
    """Seconds from asking for the page, in a new browser profile, to the painted heat map."""
    since = time.time()
    page = look("/fleet", url=dashboard.url)
    page.locator("body[data-updates]").wait_for(state="attached")
    took = page.evaluate(PAINTED) - since
    assert page.locator("#n-devices").text_content() == f"{fleet.devices:,}"
    page.close()
    return took


def update_of(page, fleet: LargeFleet) -> float:
    """Seconds from the server's answer to new samples of all devices to the painted heat map."""
    fleet.send(lambda number: number % 97 == 0)
    since = time.time()
    return page.evaluate(SHOWN, fleet.newest) - since
