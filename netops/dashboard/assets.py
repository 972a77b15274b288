"""Files that the pages load: their own, and BokehJS as its package brings it. Nothing comes from elsewhere."""

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
    """One file: what it is, its bytes as they are sent (gzip), and a fingerprint for its address."""

    kind: str
    packed: bytes
    mark: str


@cache
def assets() -> dict[str, Asset]:
    """Give all files by name."""
    from bokeh.util.paths import static_path

    paths = {path.name: path for path in sorted(HERE.iterdir()) if path.suffix in KINDS}
    paths[BOKEH] = static_path() / "js" / BOKEH
    return {name: _read(path) for name, path in paths.items()}


def address(name: str) -> str:
    """Name the address of a file; it changes with its content, so that browsers may keep it for good."""
    return f"/static/{name}?{assets()[name].mark}"


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    mark = hashlib.sha256(content).hexdigest()[:12]
    return Asset(KINDS[path.suffix], gzip.compress(content, 6, mtime=0), mark)
