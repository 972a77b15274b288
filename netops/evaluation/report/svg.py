"""Drawings as inline SVG: no script, no font, colours by style sheet, so that they follow the reader's theme."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

from netops.alerting.sequences import Floats

#: Number of series that the style sheet distinguishes by colour and dash.
SERIES = 6
#: Columns that a line is thinned to, each with its lowest and highest value.
_COLUMNS = 320


@dataclass(frozen=True)
class Scale:
    """Linear map from values low..high to coordinates start..end of a drawing."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value; values outside the range are clipped."""
        span = (self.high - self.low) or 1.0
        share = min(max((value - self.low) / span, 0.0), 1.0)
        return self.start + share * (self.end - self.start)

    def all(self, values: Floats) -> Floats:
        """Return the coordinates of an array of values."""
        span = (self.high - self.low) or 1.0
        share = np.clip((np.asarray(values, dtype=np.float64) - self.low) / span, 0, 1)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Choose round values to mark."""
        return nice_ticks(self.low, self.high, most)


def nice_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Choose at most ``count`` values between low and high: multiples of 1, 2 or 5 × a power of ten."""
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return [low]
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * size for size in (1, 2, 5, 10, 20) if span / (power * size) <= most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


@dataclass
class Drawing:
    """A drawing while it is made.

    Attributes
    ----------
    title, description : str
        Text alternative for screen readers.
    width, height : float
        In its own units; the page scales it.
    key : str
        Unique within the page.
    """

    title: str
    description: str
    width: float
    height: float
    key: str
    _parts: list[str] = field(default_factory=list)

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        """Draw a straight line."""
        self._parts.append(f'<line class="{style}" x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"/>')

    def box(self, x: float, y: float, width: float, height: float, style: str, tip: str = "") -> None:
        """Draw a rectangle; a tip is shown to who points at it."""
        size = f'width="{_n(max(width, 0.8))}" height="{_n(height)}"'
        self._parts.append(f'<rect class="{style}" x="{_n(x)}" y="{_n(y)}" {size}{_tip("rect", tip)}')

    def dot(self, x: float, y: float, radius: float, style: str, tip: str = "") -> None:
        """Draw a dot."""
        self._parts.append(
            f'<circle class="{style}" cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}"{_tip("circle", tip)}'
        )

    def text(self, x: float, y: float, words: str, style: str = "", anchor: str = "start", turn: int = 0) -> None:
        """Write words."""
        turned = f' transform="rotate({turn} {_n(x)} {_n(y)})"' if turn else ""
        styled = f' class="{style}"' if style else ""
        index = f'x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"{turned}'
        self._parts.append(f"<text{styled} {index}>{escape(words)}</text>")

    def path(self, x: Floats, y: Floats, style: str) -> None:
        """Draw a line through points, interrupted at missing values."""
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        there = np.isfinite(x) & np.isfinite(y)
        starts = there & ~np.concatenate([[False], there[:-1]])
        ends = there & ~np.concatenate([there[1:], [False]])
        alone = starts & ends
        steps = [
            f"{'M' if starts[i] else 'L'}{_n(x[i])} {_n(y[i])}" + ("h.6" if alone[i] else "")
            for i in np.flatnonzero(there)
        ]
        if steps:
            self._parts.append(f'<path class="{style}" d="{"".join(steps)}"/>')

    def steps(self, x: Floats, y: Floats, style: str) -> None:
        """Draw a step function: each value holds until the next."""
        if len(x):
            self.path(np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1], style)

    def render(self) -> str:
        """Return the SVG element."""
        names = f"{self.key}-title {self.key}-desc"
        head = (
            f'<svg role="img" aria-labelledby="{names}" viewBox="0 0 {_n(self.width)} {_n(self.height)}" '
            f'style="--width:{_n(self.width)}px">'
        )
        header = f'<title id="{self.key}-title">{escape(self.title)}</title>'
        header += f'<desc id="{self.key}-desc">{escape(self.description)}</desc>'
        return "".join([head, header, *self._parts, "</svg>"])


def thinned(x: Floats, y: Floats, columns: int = _COLUMNS) -> tuple[Floats, Floats]:
    """Keep what can be seen of a long line: the lowest and highest value of each column, in their order."""
    if len(x) <= 2 * columns:
        return x, y
    selected: list[int] = []
    for group in np.array_split(np.arange(len(x)), columns):
        known = group[np.isfinite(y[group])]
        gap = group[~np.isfinite(y[group])][:1].tolist()
        extremes = {int(known[y[known].argmin()]), int(known[y[known].argmax()])} if len(known) else set()
        selected += sorted({*gap, *extremes})
    return x[selected], y[selected]


def axes(
    drawing: Drawing,
    x: Scale,
    y: Scale,
    *,
    x_label: str = "",
    y_label: str = "",
    x_ticks: Sequence[tuple[float, str]] | None = None,
    y_ticks: Sequence[tuple[float, str]] | None = None,
) -> None:
    """Draw the grid, the ticks with their words, and the labels of a plot; y grows upwards (start > end)."""
    for value, words in x_ticks if x_ticks is not None else _written(x.ticks(6)):
        drawing.line(x(value), y.start, x(value), y.end, "grid")
        drawing.text(x(value), y.start + 16, words, "tick", "middle")
    for value, words in y_ticks if y_ticks is not None else _written(y.ticks()):
        drawing.line(x.start, y(value), x.end, y(value), "grid")
        drawing.text(x.start - 7, y(value) + 4, words, "tick", "end")
    drawing.line(x.start, y.start, x.end, y.start, "axis")
    if x_label:
        drawing.text((x.start + x.end) / 2, y.start + 36, x_label, "label", "middle")
    if y_label:
        drawing.text(14, (y.start + y.end) / 2, y_label, "label", "middle", turn=-90)


def _written(ticks: Iterable[float]) -> list[tuple[float, str]]:
    return [(value, f"{value:,.10g}") for value in ticks]


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _tip(element: str, words: str) -> str:
    return f"><title>{escape(words)}</title></{element}>" if words else "/>"
