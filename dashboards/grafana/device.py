"""One device: utilization, saturation and errors, under the risk that the model sees in them."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards import queries as q
from dashboards.grafana import frame
from dashboards.grafana.panels import BAD, WARN, lines, number, rows

UID = "netops-device"

# Which metrics are shown where; on the page they can be typed over, for telemetry with other names.
UTILIZATION = ".*(util|usage|throughput|traffic|memory|load).*"
SATURATION = ".*(latency|delay|jitter|queue|buffer|backlog).*"
ERRORS = ".*(loss|error|drop|discard|crc|retrans).*"


def build() -> Dashboard:
    """Make the dashboard."""
    variables = [
        frame.network(),
        *frame.site(),
        frame.choice("device", "Device", q.DEVICES, several=False),
        frame.free_text("utilization", "Utilization", UTILIZATION),
        frame.free_text("saturation", "Saturation", SATURATION),
        frame.free_text("errors", "Errors", ERRORS),
    ]
    page = frame.page(
        UID, "NetOps / Device", "One device: its telemetry, and what the model makes of it.", variables
    )
    _risk(page.with_row(Row("Risk")))
    return _use(page.with_row(Row("Utilization, saturation, errors")))


def _risk(page: Dashboard) -> None:
    page.with_panel(
        number(
            "Risk",
            q.DEVICE_RISK,
            "Risk of a failure within the horizon.",
            unit="percentunit",
            limits=((0.3, WARN), (0.6, BAD)),
        )
    )
    page.with_panel(number("Alert", q.DEVICE_ALERT, "1 while the alert is open.", limits=((1, BAD),)))
    page.with_panel(rows("Place", [q.DEVICE_SITE], "Where it stands.", span=16, height=4, hidden=("Value",)))
    page.with_panel(
        lines(
            "Risk over time",
            [q.DEVICE_RISK, q.THRESHOLD, q.SITE_RISK],
            "With the threshold of the champion and the riskiest device of the same data center.",
            unit="percentunit",
            span=24,
            most=1,
        )
    )


def _use(page: Dashboard) -> Dashboard:
    for title, query, text in (
        ("Utilization", q.UTILIZATION, "How busy the device is."),
        ("Saturation", q.SATURATION, "Work that waits."),
        ("Errors", q.ERRORS, "Work that failed."),
    ):
        page.with_panel(lines(title, [query], text, span=8))
    counts = "Log messages and events since the sample before, of models that count them."
    page.with_panel(lines("Log messages", [q.MESSAGE_COUNTS], counts, span=24))
    return page.with_panel(lines("All metrics", [q.OTHER_METRICS], "Every metric of the device.", span=24))
