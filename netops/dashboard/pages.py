"""Pages as HTML: templates, and how they write values."""

import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from netops.dashboard.assets import address

VIEWS = {"fleet": "Fleet", "device": "Device", "models": "Models", "runs": "Runs"}
#: Sign and word of each state: a state is never told by a colour alone.
SIGNS = {
    "completed": "✓",
    "running": "▶",
    "pending": "…",
    "created": "…",
    "waiting": "○",
    "error": "✕",
    "failed": "✕",
    "aborted": "■",
    "canceled": "■",
}


def page(template: str, **values: Any) -> str:
    """Fill a template; whatever comes from outside is escaped."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"address": address, "views": VIEWS, "link": link}
    filters = {"took": took, "figure": figure, "moment": moment, "sign": sign, "short": short, "cause": cause}
    environment.filters |= filters
    return environment


def link(path: str, **query: Any) -> str:
    """Write an address within the dashboard; what is None or empty is left out."""
    told = {key: value for key, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(told)}" if told else path


def took(seconds: float | None) -> str:
    """Write how long something took."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def figure(value: Any) -> str:
    """Write a figure of a model."""
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) and value < 1e4 else str(value)


def moment(text: Any) -> str:
    """Write a time of a record to the second."""
    found = re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)", str(text or ""))
    return f"{found[1]} {found[2]}" if found else "–"


def sign(state: str) -> str:
    """Give the sign of a state."""
    return SIGNS.get(state, "?")


def cause(error: str) -> str:
    """Say what went wrong once: MLRun repeats an error as its own cause."""
    what, _, why = error.partition(", caused by: ")
    return what if why in what else error


def short(uri: Any, most: int = 60) -> str:
    """Shorten an artifact's address: what it is called tells more than the hashes behind it."""
    text = str(uri)
    text = text.partition("#")[0].partition("@")[0] if text.startswith("store://") else text
    return text if len(text) <= most else text[: most - 1] + "…"
