"""Output of commands: data on stdout, everything else on stderr."""

import json
import math
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import click

from netops.json_types import Json
from netops.progress import shown_by, silent


def plain(value: object) -> Json:
    """Convert a value for JSON: NaN and infinities become null, tuples become lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    item: Callable[[], object] | None = getattr(value, "item", None)  # a number of numpy's
    return str(value) if item is None else plain(item())


def print_json(value: object) -> None:
    """Print a value as one line of JSON."""
    click.echo(json.dumps(plain(value), allow_nan=False))


def print_rows(rows: Sequence[Mapping[str, object]], columns: Sequence[str], as_json: bool) -> None:
    """Print rows as a table, or as JSON lines."""
    if as_json:
        for row in rows:
            print_json(row)
        return
    if not rows:
        note("nothing yet")
        return
    for line in table([{column: row.get(column) for column in columns} for row in rows]):
        click.echo(line)


def table(rows: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """Yield the lines of a table whose headings are the keys of the rows."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [[column.replace("_", " ") for column in columns], *([_cell(r.get(c)) for c in columns] for r in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _cell(value: object) -> str:
    value = plain(value)
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else visible(str(value))


def visible(text: str) -> str:
    """Escape control characters, bidirectional marks and line ends, which a terminal would act on or hide.

    Names of devices and errors of servers are untrusted input.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def print_text(text: str) -> None:
    """Print text that may contain untrusted names to stdout, escaped."""
    click.echo("\n".join(map(visible, text.split("\n"))))


def note(text: str) -> None:
    """Print a message for the user to stderr, escaped."""
    click.echo("\n".join(map(visible, text.split("\n"))), err=True)


@contextmanager
def progress_bars() -> Iterator[None]:
    """Print messages and, on a terminal, a progress bar per task to standard error.

    The current stream is used, since a task may redirect its own standard error.
    """
    stream = sys.stderr
    if not stream.isatty():
        with shown_by(silent, lambda line: click.echo(visible(line), file=stream)):
            yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(file=stream)
    bars, tasks, lock = Progress(*columns, console=console), {}, threading.Lock()

    def draw(done: int, total: int, what: str) -> None:
        task = what.partition(": ")[0]  # the rest is the status of the same task
        with lock:
            if task not in tasks:
                tasks[task] = bars.add_task(task)
        bars.update(tasks[task], completed=done, total=total, description=visible(what))

    with bars, shown_by(draw, lambda line: console.print(visible(line), markup=False, highlight=False)):
        yield
