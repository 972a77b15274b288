"""The filters that lists of projects, functions, runs and artifacts share."""

from collections import Counter
from collections.abc import Iterable, Sequence

import mlrun.common.schemas
import mlrun.errors
import sqlalchemy as sa

from netops.tracking.database.documents import Moment, nanoseconds
from netops.tracking.database.tables import LABELS, Row

Labels = str | dict[str, str | None] | list[str] | None
Where = list[sa.ColumnElement[bool]]


def matches(column: sa.ColumnElement[str], wanted: str) -> sa.ColumnElement[bool]:
    """Compare with a name; ``~part`` finds names that hold the part, in any case."""
    if wanted.startswith("~"):
        return column.icontains(wanted[1:], autoescape=True)
    return column == wanted


def where_name(column: sa.ColumnElement[str], wanted: str | None) -> Where:
    """Filter by a name, if given."""
    return [matches(column, wanted)] if wanted else []


def where_equal(column: sa.ColumnElement[str], wanted: object) -> Where:
    """Filter by one value or any of several, if given."""
    if wanted is None or wanted in ("", []):
        return []
    values = wanted if isinstance(wanted, list | tuple | set) else [wanted]
    return [column.in_([getattr(value, "value", value) for value in values])]


def where_between(column: sa.ColumnElement[int], since: Moment | None, until: Moment | None) -> Where:
    """Filter by a span of time, both ends included."""
    lowest, highest = nanoseconds(since), nanoseconds(until)
    return [
        *([column >= lowest] if lowest is not None else []),
        *([column <= highest] if highest is not None else []),
    ]


def where_project(column: sa.ColumnElement[str], project: str | None) -> Where:
    """Filter by the project, by default the active one; ``*`` is all projects."""
    return [] if project == "*" else [column == active(project)]


def where_labels(table: sa.Table, labels: Labels) -> Where:
    """Filter by labels: each ``name=value`` must be there, each bare ``name`` with any value."""
    try:
        wanted = mlrun.common.schemas.common.LabelsModel(labels=labels).labels
    except ValueError as error:
        raise mlrun.errors.MLRunValueError(
            "labels must be a dictionary of strings, a list of strings, or a comma-separated string"
        ) from error
    return [_has_label(table, label) for label in wanted]


def _has_label(table: sa.Table, label: str) -> sa.ColumnElement[bool]:
    of = LABELS[table]
    name, equals, value = (part.strip() for part in label.partition("="))
    conditions = [matches(of.c.name, name), *([matches(of.c.value, value)] if equals else [])]
    return table.c.id.in_(sa.select(of.c.parent).where(*conditions))


def active(project: str | None) -> str:
    """Return the given project, else MLRun's active one."""
    return str(project or mlrun.mlconf.active_project)


def insert(connection: sa.Connection, table: sa.Table, values: dict[str, object]) -> int:
    """Add a row and give its id."""
    result = connection.execute(sa.insert(table).values(values))
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def write_labels(connection: sa.Connection, table: sa.Table, parent: int, labels: dict[str, str]) -> None:
    """Replace the labels of a row."""
    of = LABELS[table]
    connection.execute(sa.delete(of).where(of.c.parent == parent))
    if labels:
        rows = [{"parent": parent, "name": name, "value": value} for name, value in labels.items()]
        connection.execute(sa.insert(of), rows)


def partition(
    rows: Iterable[Row],
    by: Sequence[str],
    sort_by: str,
    *,
    rows_per_partition: int = 1,
    newest_first: bool = True,
    max_partitions: int = 0,
) -> list[Row]:
    """Select the first rows of each group, in their order.

    Parameters
    ----------
    rows : iterable of row
        What the filters left.
    by, sort_by : sequence of str, str
        Columns that make the groups, and the column that ranks within one.
    rows_per_partition : int
        Maximum rows per group.
    newest_first : bool
        Rank from the highest value down.
    max_partitions : int
        Keep the groups with the newest rows only; 0 keeps all.
    """
    rows = list(rows)
    ranked = sorted(rows, key=lambda row: getattr(row, sort_by), reverse=newest_first)
    seen: Counter[tuple[object, ...]] = Counter()
    group_of: dict[int, tuple[object, ...]] = {}
    newest: dict[tuple[object, ...], int] = {}
    for row in ranked:
        group = tuple(getattr(row, column) for column in by)
        newest[group] = max(newest.get(group, 0), getattr(row, sort_by))
        seen[group] += 1
        if seen[group] <= rows_per_partition:
            group_of[row.id] = group
    groups = sorted(newest, key=lambda group: newest[group], reverse=True)
    chosen = set(groups[:max_partitions] if max_partitions else groups)
    return [row for row in rows if group_of.get(row.id) in chosen]
