"""The runs that make the models: when, how long, how good."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards import queries as q
from dashboards.grafana import frame
from dashboards.grafana.panels import BAD, WARN, lines, number, rows

UID = "netops-pipeline"
DAY = 86_400


def build() -> Dashboard:
    """Make the dashboard."""
    text = "Runs of the pipeline: training, retraining, scoring."
    page = frame.page(UID, "NetOps / Pipeline", text, [frame.network()], since="now-7d")
    _runs(page.with_row(Row("Runs")))
    return _stages(page.with_row(Row("Stages and models")))


def _runs(page: Dashboard) -> None:
    page.with_panel(
        number(
            "Since the last success",
            q.SINCE_SUCCESS,
            "By workflow.",
            unit="s",
            limits=((2 * DAY, WARN), (7 * DAY, BAD)),
        )
    )
    page.with_panel(number("Failed", q.LAST_FAILED, "1 where the last run failed.", limits=((1, BAD),)))
    page.with_panel(lines("Runs", [q.RUNS], "Runs kept, by workflow and state.", span=8, height=4))
    page.with_panel(lines("Versions in service", [q.PROMOTED], "A step is a promotion.", span=8, height=4))


def _stages(page: Dashboard) -> Dashboard:
    page.with_panel(
        lines("Stages", [q.STAGE_SECONDS], "Duration of each stage of the last run.", unit="s", stacked=True)
    )
    page.with_panel(lines("Rows", [q.STAGE_ROWS], "Rows each stage took in."))
    return page.with_panel(
        rows(
            "Models",
            [q.MODEL_FIGURES],
            "Figures of the last run, on its held-out part.",
            span=24,
            columns={"Value": "value"},
        )
    )
