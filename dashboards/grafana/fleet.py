"""Fleet overview: what is open, what is silent, where the risk is."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards import queries as q
from dashboards.grafana import frame
from dashboards.grafana.panels import BAD, WARN, as_share, history, lines, linked, number, rows

UID = "netops-fleet"
RISKY = ((0.3, WARN), (0.6, BAD))
TO_DEVICE = "/d/netops-device?var-network=${network}&var-device=${__data.fields.device}&${__url_time_range}"
TO_SITE = "/d/netops-fleet?var-network=${network}&var-data_center=${__data.fields.data_center}&${__url_time_range}"


def build() -> Dashboard:
    """Make the dashboard."""
    page = frame.page(
        UID, "NetOps / Fleet", "The whole network: risk, alerts, silence.", [frame.network(), *frame.site()]
    )
    _now(page.with_row(Row("Now")))
    _where(page.with_row(Row("Where")))
    return _over_time(page.with_row(Row("Over time")))


def _now(page: Dashboard) -> None:
    page.with_panel(number("Devices", q.KNOWN_DEVICES, "Devices that have sent samples."))
    page.with_panel(
        number("Open alerts", q.OPEN_ALERTS, "Devices about to fail, by the model.", limits=((1, WARN), (10, BAD)))
    )
    page.with_panel(
        number("Site outages", q.SITE_OUTAGES, "Data centers that fail as a whole.", limits=((1, BAD),))
    )
    page.with_panel(
        number("Silent devices", q.SILENT_DEVICES, "Unheard of, by the time of the others.", limits=((1, WARN),))
    )
    page.with_panel(
        number("Highest risk", q.HIGHEST_RISK, "The riskiest device.", unit="percentunit", limits=RISKY)
    )
    page.with_panel(number("Samples", q.SAMPLE_RATE, "Samples taken in, of any status.", unit="cps"))


def _where(page: Dashboard) -> None:
    names = {"Value #A": "devices", "Value #B": "alerting", "Value #C": "silent", "Value #D": "risk"}
    sites = rows("Data centers", q.SITE_TABLE, "One row a data center; a click narrows the page.", columns=names)
    page.with_panel(linked(as_share(sites, "risk", RISKY), "data_center", "Only this data center", TO_SITE))
    devices = rows(
        "Riskiest devices",
        [q.RISKIEST_DEVICES],
        "The 20 riskiest; a click opens the device.",
        columns={"Value": "risk"},
    )
    page.with_panel(linked(as_share(devices, "risk", RISKY), "device", "Open the device", TO_DEVICE))


def _over_time(page: Dashboard) -> Dashboard:
    page.with_panel(history("Risk by data center", q.RISK_BY_SITE, "The highest risk of each data center.", RISKY))
    page.with_panel(lines("Open alerts", [q.ALERTS_BY_SITE], "Alerts open, by data center.", stacked=True))
    page.with_panel(lines("Silent devices", [q.SILENT_BY_SITE], "Silent devices, by data center.", stacked=True))
    return page.with_panel(
        rows("Firing now", [q.FIRING], "Every alert that fires.", span=24, height=7, hidden=("Value",))
    )
