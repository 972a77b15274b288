"""Where telemetry is read from: paths, and addresses with a scheme."""

from pathlib import Path


def absolute(source: str) -> str:
    """Return an absolute path, valid in the working directory of any stage; addresses stay unchanged."""
    return source if "://" in source else str(Path(source).expanduser().resolve())
