"""What MLRun prints while it works."""

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path


@contextmanager
def printed_to(path: Path) -> Iterator[None]:
    """Send what is printed to a file: stdout belongs to the data that a person asked for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file, redirect_stdout(file):
        yield
