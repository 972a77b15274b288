"""Colours of the plots, dark and light.

The palettes are sequential: lightness shows the risk, so they are readable with colour blindness and in print.
Alerting and stale devices have additional marks.
"""

from dataclasses import dataclass

import numpy as np

#: Positions of the colour stops, from risk 0 to 1; the last two are above the threshold.
STOPS = (0.0, 0.25, 0.5, 0.72, 0.86, 1.0)
#: Palette positions of the risks just below and above the threshold.
BELOW, ABOVE = 0.78, 0.88
FONT = "system-ui, sans-serif"


@dataclass(frozen=True)
class Colours:
    """Colours of one theme, as in style.css."""

    page: str
    card: str
    text: str
    muted: str
    grid: str
    accent: str
    alert: str
    unknown: str
    lines: tuple[str, ...]
    risks: tuple[str, ...]

    @property
    def palette(self) -> list[str]:
        """256 colours from risk 0 to 1."""
        stops = np.array([[int(colour[index : index + 2], 16) for index in (1, 3, 5)] for colour in self.risks])
        levels = np.linspace(0.0, 1.0, 256)
        mixed = np.stack([np.interp(levels, STOPS, channel) for channel in stops.T], axis=1)
        return ["#{:02x}{:02x}{:02x}".format(*row) for row in mixed.round().astype(int).tolist()]

    def bokeh(self) -> dict[str, object]:
        """Return the Bokeh theme."""
        axis = {
            "major_label_text_color": self.muted,
            "axis_label_text_color": self.muted,
            "major_label_text_font": FONT,
            "axis_label_text_font": FONT,
            "axis_label_text_font_style": "normal",
            "axis_line_color": self.grid,
            "major_tick_line_color": self.grid,
            "minor_tick_line_color": None,
        }
        figure = {"background_fill_color": None, "border_fill_color": None, "outline_line_color": None}
        title = {"text_color": self.text, "text_font": FONT, "text_font_size": "13px"}
        return {
            "attrs": {"Plot": figure, "Axis": axis, "Grid": {"grid_line_color": self.grid}, "Title": title},
        }


LIGHT = Colours(
    page="#f4f6f9",
    card="#ffffff",
    text="#17202c",
    muted="#566273",
    grid="#dde3ea",
    accent="#0b5cad",
    alert="#17202c",
    unknown="#ffffff",
    lines=("#0b5cad", "#b35806", "#542788", "#01665e"),
    risks=("#e3e9f0", "#b7c6dc", "#9391c5", "#8c4fa0", "#7a1268", "#33002f"),
)
DARK = Colours(
    page="#0f151d",
    card="#18212c",
    text="#e8edf3",
    muted="#9eacbc",
    grid="#2b3846",
    accent="#6db3f2",
    alert="#ffffff",
    unknown="#0f151d",
    lines=("#6db3f2", "#fdb863", "#b2abd2", "#5ab4ac"),
    risks=("#263443", "#364d6d", "#5f60a3", "#b3629b", "#f29a6b", "#fff3c4"),
)
THEMES = {"light": LIGHT, "dark": DARK}
