"""HTML pages: templates and their filters."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from netops.dashboard.assets import address

VIEWS = {"fleet": "Fleet", "device": "Device", "models": "Models", "runs": "Runs"}
#: Symbol of each state, since a state is never shown by colour alone.
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


def page(template: str, **values: object) -> str:
    """Render a template; values are escaped."""
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


def link(path: str, **query: object) -> str:
    """Return an address within the dashboard; None and empty parameters are omitted."""
    parameters = {key: value for key, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(parameters)}" if parameters else path


def took(seconds: float | None) -> str:
    """Format a duration."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def figure(value: float | str | None) -> str:
    """Format a metric of a model."""
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) and value < 1e4 else str(value)


def moment(text: object) -> str:
    """Format a time of a record, to the second."""
    found = re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)", str(text or ""))
    return f"{found[1]} {found[2]}" if found else "–"


def sign(state: str) -> str:
    """Return the symbol of a state."""
    return SIGNS.get(state, "?")


def cause(error: str) -> str:
    """Remove the duplicate cause that MLRun appends to an error."""
    what, _, why = error.partition(", caused by: ")
    return what if why in what else error


def short(uri: object, max_length: int = 60) -> str:
    """Shorten an artifact's address, without the hashes."""
    text = str(uri)
    text = text.partition("#")[0].partition("@")[0] if text.startswith("store://") else text
    return text if len(text) <= max_length else text[: max_length - 1] + "…"
