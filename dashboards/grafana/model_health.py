"""Whether the champion still fits what it sees."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards import queries as q
from dashboards.grafana import frame
from dashboards.grafana.panels import BAD, WARN, lines, number, rows

UID = "netops-model"


def build() -> Dashboard:
    """Make the dashboard."""
    text = "The champion: its risks, and the drift from its training telemetry."
    page = frame.page(UID, "NetOps / Model health", text, [frame.network()], since="now-24h")
    _champion(page.with_row(Row("Champion")))
    _answers(page.with_row(Row("Risks")))
    return _drift(page.with_row(Row("Drift")))


def _champion(page: Dashboard) -> None:
    page.with_panel(
        rows("In service", [q.CHAMPION], "The version that answers.", span=12, height=4, hidden=("Value",))
    )
    page.with_panel(number("Threshold", q.THRESHOLD, "Risk from which alerts open.", unit="percentunit"))
    page.with_panel(
        number(
            "Alerting",
            q.ALERTING_SHARE,
            "Share of devices with an open alert.",
            unit="percentunit",
            limits=((0.02, WARN), (0.1, BAD)),
        )
    )
    page.with_panel(number("Drifted", q.DRIFTED, "Features, risk and outcomes found to drift.", limits=((1, BAD),)))


def _answers(page: Dashboard) -> None:
    risks = [q.RISK_MEDIAN, q.RISK_P90, q.RISK_P99, q.THRESHOLD]
    page.with_panel(
        lines("Risk over the fleet", risks, "A median that creeps up is drift.", unit="percentunit", most=1)
    )
    page.with_panel(
        lines("Scored", [q.SCORED_SHARE], "Share of samples that got a risk.", unit="percentunit", most=1)
    )


def _drift(page: Dashboard) -> Dashboard:
    page.with_panel(lines("Features", [q.FEATURE_DRIFT], "The ten that moved most from the reference."))
    page.with_panel(lines("Risk and outcomes", [q.OTHER_DRIFT], "Drift of the risk, and of what it is worth."))
    return page.with_panel(
        lines("Missing values", [q.MISSING_SHARE], "Share of missing values a metric.", unit="percentunit", span=24)
    )
