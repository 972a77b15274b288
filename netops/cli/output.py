"""What a verb prints: data on stdout, everything else on stderr."""

import json
import math
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from netops.progress import shown_by, silent


def plain(value: Any) -> Any:
    """Make a value fit for JSON: NaN and infinities become null, tuples lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return plain(value.item()) if hasattr(value, "item") else str(value)


def print_json(value: Any) -> None:
    """Print one JSON object in a line."""
    click.echo(json.dumps(plain(value), allow_nan=False))


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """Print rows as a table, or each as a JSON object of a line."""
    if as_json:
        for row in rows:
            print_json(row)
        return
    if not rows:
        note("nothing yet")
        return
    for line in table([{column: row.get(column) for column in columns} for row in rows]):
        click.echo(line)


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Write rows in columns, headed by their keys."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [[column.replace("_", " ") for column in columns], *([_cell(r.get(c)) for c in columns] for r in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _cell(value: Any) -> str:
    value = plain(value)
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else visible(str(value))


def visible(text: str) -> str:
    """Write as escapes what a terminal would act on or hide: control characters, changes of direction, line ends.

    Names of devices and errors of servers come from outside.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def say(text: str) -> None:
    """Print lines of text that may hold names from outside."""
    click.echo("\n".join(map(visible, text.split("\n"))))


def note(text: str) -> None:
    """Say something to the person, not to the next program."""
    click.echo("\n".join(map(visible, text.split("\n"))), err=True)


@contextmanager
def progress_bars() -> Iterator[None]:
    """Show lines for people, and a bar for each piece of work under way where somebody looks.

    Both go to what standard error is now: the work may send its own elsewhere.
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
        work = what.partition(": ")[0]  # the rest is news of the same work
        with lock:
            if work not in tasks:
                tasks[work] = bars.add_task(work)
        bars.update(tasks[work], completed=done, total=total, description=visible(what))

    with bars, shown_by(draw, lambda line: console.print(visible(line), markup=False, highlight=False)):
        yield
