"""Static files of the pages, including BokehJS from its package; nothing is loaded from other hosts."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent / "static"
KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
BOKEH = "bokeh.min.js"


@dataclass(frozen=True)
class Asset:
    """A static file: content type, gzipped bytes, and a fingerprint for its address."""

    kind: str
    packed: bytes
    mark: str


@cache
def assets() -> dict[str, Asset]:
    """Return all files by name."""
    from bokeh.util.paths import static_path

    paths = {path.name: path for path in sorted(HERE.iterdir()) if path.suffix in KINDS}
    paths[BOKEH] = static_path() / "js" / BOKEH
    return {name: _read(path) for name, path in paths.items()}


def address(name: str) -> str:
    """Return the address of a file; it changes with the content, so that browsers can cache it permanently."""
    return f"/static/{name}?{assets()[name].mark}"


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    mark = hashlib.sha256(content).hexdigest()[:12]
    return Asset(KINDS[path.suffix], gzip.compress(content, 6, mtime=0), mark)
