"""The service by rate, errors and duration, and what it needs."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards import queries as q
from dashboards.grafana import frame
from dashboards.grafana.panels import BAD, WARN, buckets, lines, number

UID = "netops-service"


def build() -> Dashboard:
    """Make the dashboard."""
    page = frame.page(UID, "NetOps / Service", "The serving graph: rate, errors, duration.", [frame.network()])
    _now(page.with_row(Row("Now")))
    _requests(page.with_row(Row("Rate, errors, duration")))
    return _inside(page.with_row(Row("Inside")))


def _now(page: Dashboard) -> None:
    page.with_panel(number("Up", q.SERVICE_UP, "1 when Prometheus reaches the service."))
    page.with_panel(number("Samples", q.SAMPLE_RATE, "Samples a second, of any status.", unit="cps"))
    page.with_panel(
        number(
            "Errors",
            q.ERROR_RATIO,
            "Share of requests answered 5xx.",
            unit="percentunit",
            limits=((0.001, WARN), (0.01, BAD)),
        )
    )
    page.with_panel(number("Lag", q.EVENT_LAG, "Delay of event time.", unit="s", limits=((60, WARN), (300, BAD))))
    page.with_panel(number("Device state", q.STATE_BYTES, "Memory of the feature state.", unit="bytes"))
    page.with_panel(
        number("Undelivered", q.DELIVERIES_DUE, "Alerts that are still to be delivered.", limits=((1, WARN),))
    )


def _requests(page: Dashboard) -> None:
    page.with_panel(lines("Rate", [q.REQUEST_RATE], "Requests a second.", unit="reqps", span=8, stacked=True))
    page.with_panel(lines("Errors", [q.ERROR_RATIO], "Share answered 5xx.", unit="percentunit", span=8))
    page.with_panel(
        lines("Duration", [q.REQUEST_P99, q.REQUEST_P50], "99th percentile and median.", unit="s", span=8)
    )


def _inside(page: Dashboard) -> Dashboard:
    page.with_panel(buckets("Requests by duration", q.REQUEST_BUCKETS, "All endpoints.", unit="s"))
    page.with_panel(lines("Steps", [q.STEP_P99], "99th percentile of each step of the graph.", unit="s"))
    page.with_panel(
        lines("Samples by status", [q.SAMPLES_BY_STATUS], "Samples a second.", unit="cps", stacked=True)
    )
    page.with_panel(
        lines(
            "Log messages by status",
            [q.MESSAGES_BY_STATUS],
            "Log messages and events a second, of models that count them.",
            unit="cps",
            stacked=True,
        )
    )
    page.with_panel(lines("State", [q.STATE_BYTES], "Memory of the feature windows.", unit="bytes"))
    times = [q.SNAPSHOT_SECONDS, q.SCRAPE_SECONDS]
    page.with_panel(lines("Housekeeping", times, "Time a snapshot and a scrape take.", unit="s"))
    late = [q.DELIVERIES_DUE, q.DELIVERIES_PARKED, q.LETTERS_LOST]
    return page.with_panel(lines("Left undone", late, "Alerts not delivered, dead letters that the disk refused."))
