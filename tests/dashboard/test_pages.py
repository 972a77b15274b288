"""How values are written on pages."""

from itertools import pairwise

import pytest

from netops.dashboard.pages import cause, figure, link, moment, page, short, sign, took
from netops.dashboard.themes import THEMES


def test_what_comes_from_outside_is_escaped():
    hostile = '"><script>alert(1)</script>'
    text = page("device.html", frame="base.html", view="device", title=hostile, device=hostile, metrics=hostile)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert link("/device", device="a&b=c d", empty="", none=None) == "/device?device=a%26b%3Dc+d"


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (0.04, "0.0 s"), (59.9, "59.9 s"), (85, "1 min 25 s"), (7260, "2 h 01 min")]
)
def test_durations(seconds, text):
    assert took(seconds) == text


def test_figures_times_states_and_addresses():
    assert [figure(value) for value in (None, 0.92773, 1.0, "text", 12)] == ["–", "0.928", "1", "text", "12"]
    assert moment("2026-11-24T08:24:59.787148+00:00") == "2026-11-24 08:24:59"
    assert moment(None) == "–"
    assert (sign("completed"), sign("never heard of")) == ("✓", "?")
    assert short("store://models/netops/demo-model#0@tree^uid") == "store://models/netops/demo-model"
    assert cause("features: no split, caused by: no split") == "features: no split"
    assert cause("no answer, caused by: timeout") == "no answer, caused by: timeout"
    assert short("x" * 99, 10) == "x" * 9 + "…"


@pytest.mark.parametrize("theme", THEMES)
def test_the_palette_shows_risks_by_lightness(theme):
    def lightness(colour):
        channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    colours = THEMES[theme]
    levels = [lightness(colour) for colour in colours.palette]
    rising = [after - before for before, after in pairwise(levels)]
    assert all(step >= -1e-3 for step in rising) or all(step <= 1e-3 for step in rising)

    def contrast(one, other):
        high, low = sorted((lightness(one), lightness(other)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    # What WCAG asks for: text, and marks that carry a meaning.
    assert contrast(colours.text, colours.card) > 7
    assert contrast(colours.muted, colours.card) > 4.5
    assert contrast(colours.accent, colours.card) > 4.5
    assert contrast(colours.palette[0], colours.palette[-1]) > 7
