"""What all dashboards share: variables, annotations, links to each other."""

from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, QueryVariable, TextBoxVariable
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards import queries
from dashboards.grafana.panels import BAD, SOURCE

TAG = "netops"


class PrometheusAnnotation(AnnotationQuery):
    """An annotation by a Prometheus query, with the keys that the data source reads and the SDK does not name."""

    def __init__(self, name: str, expr: str, color: str, title: str, text: str) -> None:
        super().__init__(name=name, datasource=SOURCE, icon_color=color, expr=expr)
        self.formats = {"titleFormat": title, "textFormat": text, "step": "15s", "useValueForTime": False}

    def to_json(self) -> dict[str, object]:
        """Give the JSON of the dashboard model."""
        return super().to_json() | self.formats


def choice(name: str, label: str, query: str, *, several: bool = True) -> QueryVariable:
    """Make a variable whose values Prometheus knows."""
    made = QueryVariable(name).label(label).datasource(SOURCE).query({"query": query, "refId": name})
    made.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    if several:
        made.multi(True).include_all(True).all_value(".*")
        made.current(VariableOption(selected=True, text="All", value="$__all"))
    return made


def free_text(name: str, label: str, value: str) -> TextBoxVariable:
    """Make a variable that a user types."""
    return TextBoxVariable(name).label(label).default_value(value)


def network() -> QueryVariable:
    """Make the variable that names the network."""
    return choice("network", "Network", queries.NETWORKS, several=False)


def site() -> list[QueryVariable]:
    """Make the variables that narrow the fleet down to sites."""
    company = choice("company", "Company", queries.COMPANIES)
    return [company, choice("data_center", "Data center", queries.DATA_CENTERS)]


def page(uid: str, title: str, help_text: str, variables: list[Any], since: str = "now-3h") -> Dashboard:
    """Start a dashboard: UTC, no editing in place, a link to each of its sisters."""
    made = Dashboard(title).uid(uid).description(help_text).tags([TAG]).timezone("utc").readonly()
    made.time(since, "now").refresh("15s").tooltip(DashboardCursorSync.CROSSHAIR)
    links = DashboardLink("NetOps").type(DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(False)
    made.link(links.include_vars(True).keep_time(True))
    for variable in variables:
        made.with_variable(variable)
    made.annotation(_Ready(PrometheusAnnotation("Alerts", queries.INCIDENTS, BAD, "{{alertname}}", _WHERE)))
    return made.annotation(
        _Ready(PrometheusAnnotation("Promotions", queries.PROMOTIONS, "purple", "Promoted", _WHO))
    )


_WHERE = "{{company}} {{data_center}} {{device}}"
_WHO = "{{version}}"


class _Ready:
    """A built object, where the SDK asks for a builder."""

    def __init__(self, built: AnnotationQuery) -> None:
        self._built = built

    def build(self) -> AnnotationQuery:
        """Give the object."""
        return self._built
