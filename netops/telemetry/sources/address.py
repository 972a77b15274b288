"""Where telemetry is read from: paths, and addresses with a scheme."""

from pathlib import Path


def absolute(source: str) -> str:
    """Return a path in full, so that it holds wherever a stage runs; an address stays as it is."""
    return source if "://" in source else str(Path(source).expanduser().resolve())
