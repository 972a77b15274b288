"""One simulated run that all tests look at: server, Prometheus, Alertmanager and a webhook, for real."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client import generate_latest

from tests.dashboards.processes import Prometheus, exporter, wait_until, webhook
from tests.dashboards.service import Story, monitoring, serving
from tests.dashboards.stack import alertmanager, prometheus

TOKEN = "a-word-of-the-tests"


@dataclass(frozen=True)
class Run:
    """What is left of the run.

    Attributes
    ----------
    prometheus : Prometheus
        To ask.
    notes : list of dict
        Notifications, in the order in which they came.
    exported : set of str
        Names of the series that the server and the monitor export.
    story : Story
        What happened.
    """

    prometheus: Prometheus
    notes: list[dict[str, Any]]
    story: Story


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, require_program: Callable[..., str]) -> Iterator[Run]:
    """Play the story once; everything stays up until the last test."""
    watcher = require_program("prometheus")
    teller = require_program("prometheus-alertmanager", "alertmanager")
    folder, story = tmp_path_factory.mktemp("run"), Story()
    with (
        webhook() as (receiver, notes),
        serving(folder / "service", TOKEN) as service,
        exporter(lambda: generate_latest(monitoring().registry)) as monitor,
        alertmanager(teller, folder / "alertmanager", receiver) as manager,
    ):
        story.begin(service)
        targets = {"netops": service.url, "netops-monitor": monitor}
        with prometheus(watcher, folder / "prometheus", targets, manager, TOKEN) as url:
            asked = Prometheus(url)
            wait_until("a scrape", lambda: asked.now("netops_samples_total"))
            story.play(service)
            wait_until("the site's alert", lambda: asked.now('ALERTS{alertname="SiteOutage"}'))
            yield Run(asked, notes, story)
