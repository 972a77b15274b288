"""The plots, as Bokeh documents in JSON; scripts of the pages update their data sources."""

from collections.abc import Sequence
from math import pi
from typing import TYPE_CHECKING, TypeAlias

from bokeh.embed import json_item
from bokeh.layouts import column
from bokeh.models import (
    ColumnDataSource,
    CrosshairTool,
    DataRange1d,
    DatetimeTickFormatter,
    FixedTicker,
    GlyphRenderer,
    HoverTool,
    LinearColorMapper,
    Model,
    Range1d,
    Span,
    TapTool,
)
from bokeh.plotting import figure
from bokeh.themes import Theme
from bokeh.transform import factor_cmap

from netops.dashboard.fleet import Location
from netops.dashboard.layout import UNPLACED, Layout
from netops.dashboard.themes import FONT, THEMES, Colours
from netops.workflows.records.runs import moment_of

if TYPE_CHECKING:
    from netops.dashboard.records import Version

#: A Bokeh document as JSON.
Item: TypeAlias = dict[str, object]

#: Marker by model family; default: hexagon.
SHAPES = {
    "sklearn": "circle",
    "xgboost": "square",
    "tensorflow": "diamond",
    "extra_trees": "triangle",
    "vote": "star",
}
#: Height of a metric's plot in pixels, and common width of left axes, so that times are aligned.
METRIC_HEIGHT, LEFT = 118, 64
#: Severities of messages as they are drawn, from below.
SEVERITIES = ("info", "notice", "warning", "error", "critical")
#: Minimum time range in milliseconds (an hour): models of one run differ by marker, not by seconds.
HOUR = 3.6e6


def fleet_plot(layout: Layout, names: Sequence[str], locations: Sequence[Location], theme: str) -> Item:
    """Draw the heat map of a fleet: cells, marks of alerting and stale devices, names of sites, and a cursor.

    Parameters
    ----------
    layout : Layout
        The layout; risks and statuses are sent later.
    names, locations : sequences
        Of the devices, by slot.
    theme : str
        ``light`` or ``dark``.
    """
    colours = THEMES[theme]
    plot = figure(
        name="fleet",
        x_range=Range1d(-0.2, 1.01 * layout.width + 0.2),
        y_range=Range1d(layout.height + 0.2, -0.2),
        sizing_mode="stretch_width",
        aspect_ratio=max(0.2, layout.width / max(layout.height, 1e-6)),
        tools="pan,box_zoom,wheel_zoom,reset",
        active_drag=None,
        toolbar_location="above",
        toolbar_inner=True,
        min_border=0,
    )
    plot.axis.visible = plot.grid.visible = False
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    cells = _cells(plot, layout, names, locations, colours)
    _marks(plot, colours)
    _names(plot, layout, colours)
    hover = HoverTool(renderers=[cells], tooltips=[("device", "@name"), ("where", "@location"), ("now", "@state")])
    plot.add_tools(hover, TapTool(renderers=[cells]))
    return _item(plot, colours)


def _cells(
    plot: figure, layout: Layout, names: Sequence[str], locations: Sequence[Location], colours: Colours
) -> GlyphRenderer:
    order = layout.order.tolist()
    ordered = [locations[slot] for slot in order]
    data = {
        "x": layout.x,
        "y": layout.y,
        "name": [names[slot] for slot in order],
        "location": [
            " · ".join(filter(None, (location.company, location.data_center))) or UNPLACED for location in ordered
        ],
        "level": [float("nan")] * len(order),
        "state": [""] * len(order),
    }
    mapper = LinearColorMapper(palette=colours.palette, low=0.0, high=1.0, nan_color=colours.unknown)
    cells = plot.rect(
        "x",
        "y",
        width=0.9,
        height=0.9,
        source=ColumnDataSource(data, name="cells"),
        fill_color={"field": "level", "transform": mapper},
        line_color=None,
    )
    cells.nonselection_glyph = cells.selection_glyph = None
    return cells


def _marks(plot: figure, colours: Colours) -> None:
    """Add the marks that the script positions: alerts, stale devices, and the cursor."""
    for name in ("alerting", "silent", "cursor"):
        source = ColumnDataSource({"x": [], "y": []}, name=name)
        if name != "silent":
            colour, width = (colours.accent, 3) if name == "cursor" else (colours.alert, 1.5)
            plot.rect(
                "x",
                "y",
                name=f"frames-{name}",
                width=1,
                height=1,
                source=source,
                fill_color=None,
                line_color=colour,
                line_width=width,
            )
        if name == "alerting":
            plot.scatter(
                "x",
                "y",
                name="triangles",
                size=8,
                marker="triangle",
                source=source,
                fill_color=colours.alert,
                line_color=colours.page,
            )
        if name == "silent":
            plot.rect(
                "x",
                "y",
                name="frames-silent",
                width=0.9,
                height=0.9,
                source=source,
                fill_color=None,
                line_color=colours.muted,
            )
            plot.scatter(
                "x",
                "y",
                name="crosses",
                size=7,
                marker="x",
                source=source,
                line_color=colours.muted,
                line_width=1.6,
            )


def _names(plot: figure, layout: Layout, colours: Colours) -> None:
    blocks = ColumnDataSource(
        {
            "x": [block.x for block in layout.blocks],
            "y": [block.label for block in layout.blocks],
            "top": [block.y for block in layout.blocks],
            "name": [block.data_center or UNPLACED for block in layout.blocks],
            "at": [[block.company, block.data_center] for block in layout.blocks],
            "devices": [block.devices for block in layout.blocks],
            "width": [block.width for block in layout.blocks],
            "text": [""] * len(layout.blocks),
        },
        name="blocks",
    )
    plot.text(
        "x",
        "y",
        "text",
        source=blocks,
        text_color=colours.muted,
        text_font={"value": FONT},
        text_font_size="11.5px",
        text_baseline="middle",
    )
    titles = {key: [getattr(title, key) for title in layout.titles] for key in ("x", "y", "width", "company")}
    titles["text"] = titles["company"]
    plot.text(
        "x",
        "y",
        "text",
        source=ColumnDataSource(titles, name="titles"),
        text_color=colours.text,
        text_font={"value": FONT},
        text_font_size="13px",
        text_font_style="bold",
        text_baseline="middle",
    )


def device_plot(metrics: Sequence[str], threshold: float, theme: str, has_logs: bool = False) -> Item:
    """Draw a device: its risk, and below it each metric over the same time, with alerts in the background.

    Parameters
    ----------
    metrics : sequence of str
        The metrics to draw.
    threshold : float
        The risk that alerts.
    theme : str
        ``light`` or ``dark``.
    has_logs : bool
        Whether to draw its messages, by severity.
    """
    colours = THEMES[theme]
    samples = ColumnDataSource({"time": [], **{f"m{index}": [] for index in range(len(metrics))}}, name="samples")
    risks = ColumnDataSource({"time": [], "risk": []}, name="risks")
    alerts = ColumnDataSource({"left": [], "right": [], "about": []}, name="alerts")
    cursor = Span(dimension="height", line_color=colours.muted, line_dash="dotted")
    first = _strip("risk", risks, "risk", colours, 0, alerts, cursor, x_range=Range1d(0, 1), height=170)
    first.add_layout(
        Span(
            name="threshold",
            location=min(threshold, 1.0),
            dimension="width",
            line_color=colours.text,
            line_dash="dashed",
            line_width=1.5,
        )
    )
    first.xaxis.visible = True
    plots = [first, _messages(colours, alerts, cursor, first.x_range)] if has_logs else [first]
    for index, metric in enumerate(metrics):
        plots.append(
            _strip(metric, samples, f"m{index}", colours, index + 1, alerts, cursor, x_range=first.x_range)
        )
    plots[-1].xaxis.visible = True
    return _item(column(plots, sizing_mode="stretch_width", spacing=2), colours)


def _messages(colours: Colours, alerts: ColumnDataSource, cursor: Span, x_range: Range1d) -> figure:
    """Draw a tick per message, the more severe the higher; the script sends them."""
    source = ColumnDataSource({"time": [], "level": [], "about": [], "severe": []}, name="messages")
    plot = _empty_strip("log messages", "lane", colours, alerts, cursor, x_range, METRIC_HEIGHT)
    plot.y_range = Range1d(-0.5, len(SEVERITIES) - 0.5)
    plot.yaxis.ticker = FixedTicker(ticks=list(range(len(SEVERITIES))))
    plot.yaxis.major_label_overrides = dict(enumerate(SEVERITIES))
    plot.yaxis.major_label_text_font_size = "10px"
    ticks = plot.scatter(
        "time",
        "level",
        source=source,
        marker="dash",
        angle=pi / 2,
        size=9,
        line_width=1.6,
        line_color=factor_cmap("severe", [colours.muted, colours.alert], ["no", "yes"]),
    )
    plot.add_tools(HoverTool(renderers=[ticks], tooltips="@time{%F %T} — @about", formatters={"@time": "datetime"}))
    return plot


def _strip(
    title: str,
    source: ColumnDataSource,
    key: str,
    colours: Colours,
    index: int,
    alerts: ColumnDataSource,
    cursor: Span,
    x_range: Range1d,
    height: int = METRIC_HEIGHT,
) -> figure:
    plot = _empty_strip(title, f"plot{index}", colours, alerts, cursor, x_range, height)
    plot.line("time", key, source=source, color=colours.lines[index % 4], line_width=1.6)
    dots = plot.scatter("time", key, source=source, color=colours.lines[index % 4], size=1.8)
    plot.add_tools(
        HoverTool(
            renderers=[dots],
            mode="vline",
            tooltips=f"@time{{%F %T}} — {{@{key}}}",
            formatters={"@time": "datetime"},
        ),
    )
    return plot


def _empty_strip(
    title: str, name: str, colours: Colours, alerts: ColumnDataSource, cursor: Span, x_range: Range1d, height: int
) -> figure:
    """Draw the alerts behind the time axis that all strips share."""
    plot = figure(
        height=height,
        x_range=x_range,
        sizing_mode="stretch_width",
        x_axis_type="datetime",
        tools="xpan,xwheel_zoom,reset",
        active_drag="xpan",
        toolbar_location=None,
        min_border_left=LEFT,
        min_border_top=4,
        min_border_bottom=4,
        title=title,
        name=name,
        y_range=Range1d(0, 1.02),
    )
    plot.xaxis.visible = False
    plot.xaxis.formatter = _times()
    plot.yaxis.ticker.desired_num_ticks = 4
    plot.xgrid.grid_line_color = None
    plot.vstrip(
        x0="left",
        x1="right",
        source=alerts,
        fill_color=colours.muted,
        fill_alpha=0.12,
        line_color=None,
        hatch_pattern="right_diagonal_line",
        hatch_color=colours.muted,
        hatch_alpha=0.45,
        hatch_scale=9,
        hatch_weight=0.7,
    )
    plot.add_tools(CrosshairTool(overlay=cursor))
    return plot


def models_plot(versions: "Sequence[Version]", theme: str) -> Item:
    """Draw the average precision of a model's versions over time, with a marker per family."""
    colours = THEMES[theme]
    known = [version for version in versions if version["average_precision"] is not None]
    plot = figure(
        height=240,
        sizing_mode="stretch_width",
        x_axis_type="datetime",
        x_range=DataRange1d(min_interval=HOUR, range_padding=0.1),
        y_range=Range1d(0, 1.02),
        tools="xpan,xwheel_zoom,reset",
        toolbar_location=None,
        min_border_left=LEFT,
        y_axis_label="average precision",
    )
    plot.xaxis.formatter = _times()
    plot.xaxis.ticker.desired_num_ticks = 4
    plot.xgrid.grid_line_color = None
    for index, family in enumerate(sorted({version["family"] for version in known})):
        rows = [version for version in known if version["family"] == family]
        data = {key: [row[key] for row in rows] for key in ("version", "family", "average_precision")}
        data["time"] = [_milliseconds(row["created"]) for row in rows]
        plot.scatter(
            "time",
            "average_precision",
            source=ColumnDataSource(data),
            marker=SHAPES.get(family, "hex"),
            size=11,
            color=colours.lines[index % 4],
            fill_alpha=0.7,
            legend_label=family,
        )
    champions = [version for version in known if version["champion"]]
    plot.scatter(
        [_milliseconds(version["created"]) for version in champions],
        [version["average_precision"] for version in champions],
        marker="circle",
        size=24,
        fill_color=None,
        line_color=colours.text,
        line_width=2,
        legend_label="champion",
    )
    if plot.legend:
        plot.add_layout(plot.legend[0], "right")
        plot.legend[0].update(
            background_fill_color=None, border_line_color=None, label_text_color=colours.text, glyph_height=16
        )
    plot.add_tools(HoverTool(tooltips="@version (@family): @average_precision{0.000}"))
    return _item(plot, colours)


def _milliseconds(moment: str) -> float:

    return moment_of(moment).timestamp() * 1000


def _times() -> DatetimeTickFormatter:
    return DatetimeTickFormatter(
        seconds="%H:%M:%S", minsec="%H:%M:%S", minutes="%H:%M", hourmin="%H:%M", hours="%H:%M", days="%d %b"
    )


def _item(model: Model, colours: Colours) -> Item:
    item: Item = json_item(model, theme=Theme(json=colours.bokeh()))
    return item
