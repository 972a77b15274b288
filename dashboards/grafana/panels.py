"""Panels in the one style of all dashboards: colours that colour-blind people tell apart, units always named."""

from collections.abc import Iterable
from typing import Any

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statushistory,
    table,
    timeseries,
)
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.queries import Query

SOURCE = DataSourceRef(type_val="prometheus", uid="netops-prometheus")
GOOD, WARN, BAD = "blue", "orange", "dark-red"


def target(query: Query, place: int = 0) -> prometheus.Dataquery:
    """Make a query of a panel; ``place`` gives its letter."""
    made = prometheus.Dataquery().expr(query.expr).ref_id(chr(ord("A") + place)).legend_format(query.legend)
    if query.kind == "table":
        return made.instant().format(PromQueryFormat.TABLE)
    return made.range().format(PromQueryFormat.HEATMAP if query.kind == "heatmap" else PromQueryFormat.TIME_SERIES)


def steps(*limits: tuple[float, str]) -> dashboard.ThresholdsConfig:
    """Colour values from a limit on; below the first they are ``GOOD``."""
    made = [Threshold(value=None, color=GOOD), *(Threshold(value=value, color=color) for value, color in limits)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)


def _dress(panel: Any, title: str, help_text: str, queries: Iterable[Query], span: int, height: int) -> Any:
    panel.title(title).description(help_text).datasource(SOURCE).span(span).height(height)
    for place, query in enumerate(queries):
        panel.with_target(target(query, place))
    return panel


def number(
    title: str, query: Query, help_text: str, *, unit: str = "short", limits: tuple[tuple[float, str], ...] = ()
) -> stat.Panel:
    """Show the last value, with its course behind it."""
    panel = _dress(stat.Panel(), title, help_text, [query], 4, 4)
    last = common.ReduceDataOptions().calcs(["lastNotNull"])
    return panel.unit(unit).reduce_options(last).graph_mode(BigValueGraphMode.AREA).thresholds(steps(*limits))


def lines(
    title: str,
    queries: Iterable[Query],
    help_text: str,
    *,
    unit: str = "short",
    span: int = 12,
    height: int = 8,
    stacked: bool = False,
    most: float | None = None,
) -> timeseries.Panel:
    """Show series over time."""
    panel = _dress(timeseries.Panel(), title, help_text, queries, span, height)
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI)
    panel.unit(unit).min(0).line_width(2).fill_opacity(40 if stacked else 8)
    panel.show_points(VisibilityMode.NEVER).legend(legend.show_legend(True)).tooltip(tooltip)
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    return panel if most is None else panel.max(most)


def history(
    title: str, query: Query, help_text: str, limits: tuple[tuple[float, str], ...], span: int = 24, height: int = 9
) -> statushistory.Panel:
    """Show a coloured row a series: what was how bad, when."""
    panel = _dress(statushistory.Panel(), title, help_text, [query], span, height)
    panel.unit("percentunit").min(0).max(1).thresholds(steps(*limits)).show_value(VisibilityMode.NEVER)
    panel.max_data_points(100)  # Grafana refuses to draw more cells than there is room for.
    return panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))


def buckets(
    title: str, query: Query, help_text: str, *, unit: str, span: int = 12, height: int = 8
) -> heatmap.Panel:
    """Show a histogram over time."""
    panel = _dress(heatmap.Panel(), title, help_text, [query], span, height)
    colors = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Viridis").steps(64)
    return panel.calculate(False).color(colors).y_axis(heatmap.YAxisConfig().unit(unit))


def rows(
    title: str,
    queries: Iterable[Query],
    help_text: str,
    *,
    span: int = 12,
    height: int = 9,
    columns: dict[str, str] | None = None,
    hidden: tuple[str, ...] = (),
) -> table.Panel:
    """Show the series of this moment as a table; several queries are joined on their common labels.

    Parameters
    ----------
    columns : dict, optional
        New names of columns, by the name Grafana gives them (``Value #A`` for the first query).
    hidden : tuple of str
        Columns left out, beside the time.
    """
    panel = _dress(table.Panel(), title, help_text, queries, span, height)
    panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    excluded = dict.fromkeys(("Time", *hidden), True)
    shape = {"excludeByName": excluded, "renameByName": columns or {}, "indexByName": {}}
    return panel.with_transformation(DataTransformerConfig(id_val="organize", options=shape)).filterable(True)


def as_share(panel: table.Panel, column: str, limits: tuple[tuple[float, str], ...]) -> table.Panel:
    """Show a column of a table as a coloured bar between 0 and 1."""
    colored = [
        DynamicConfigValue("unit", "percentunit"),
        DynamicConfigValue("min", 0),
        DynamicConfigValue("max", 1),
        DynamicConfigValue("custom.cellOptions", {"type": "gauge", "mode": "basic"}),
        DynamicConfigValue("color", {"mode": "thresholds"}),
        DynamicConfigValue("thresholds", steps(*limits).build()),
    ]
    return panel.override_by_name(column, colored)


def linked(panel: table.Panel, column: str, title: str, url: str) -> table.Panel:
    """Make the cells of a column lead somewhere."""
    link = [{"title": title, "url": url}]
    return panel.override_by_name(column, [DynamicConfigValue("links", link)])
