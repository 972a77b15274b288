"""Tags of artifacts: a name that moves from version to version of one key."""

from collections.abc import Callable
from typing import TypeAlias

import mlrun.common.schemas
import mlrun.errors
import sqlalchemy as sa
from mlrun.utils import validate_tag_name

from netops.tracking.database import queries, tables
from netops.tracking.database.connection import Connection

_TABLE = tables.artifacts
_TAGS = tables.artifact_tags
_Named: TypeAlias = mlrun.common.schemas.TagObjects | dict[str, object]


class ArtifactTags:
    """The part of MLRun's run database interface that is about tags of artifacts."""

    _connection: Connection

    def list_artifact_tags(self, project: str | None = None, category: str | None = None) -> list[str]:
        """List the tags in use."""
        query = sa.select(_TAGS.c.tag).distinct().join(_TABLE, _TABLE.c.id == _TAGS.c.parent)
        query = query.where(*queries.where_project(_TABLE.c.project, project))
        if category:
            kinds, excluded = mlrun.common.schemas.ArtifactCategories(category).to_kinds_filter()
            query = query.where(_TABLE.c.kind.not_in(kinds) if excluded else _TABLE.c.kind.in_(kinds))
        with self._connection.read() as connection:
            return list(connection.execute(query.order_by(_TAGS.c.tag)).scalars())

    def tag_objects(self, project: str, tag_name: str, objects: _Named, replace: bool = False) -> None:
        """Add a tag to artifacts, or replace their tags by it."""
        validate_tag_name(tag_name, "artifact.metadata.tag")
        with self._connection.write() as connection:
            rows = _named_by(connection, project, objects)
            if replace:
                _remove(connection, rows)
            for row in rows:
                put_tag(connection, tag_name, row)

    def delete_objects_tag(self, project: str, tag_name: str, tag_objects: _Named) -> None:
        """Take a tag off artifacts."""
        with self._connection.write() as connection:
            _remove(connection, _named_by(connection, project, tag_objects), tag_name)

    def tag_artifacts(self, artifacts: object, project: str, tag_name: str, replace: bool = False) -> None:
        """Add a tag to artifacts, or replace their tags by it."""
        self.tag_objects(project, tag_name, self._resolve_artifacts_to_tag_objects(artifacts), replace)

    def delete_artifacts_tags(self, artifacts: object, project: str, tag_name: str) -> None:
        """Take a tag off artifacts."""
        self.delete_objects_tag(project, tag_name, self._resolve_artifacts_to_tag_objects(artifacts))

    _resolve_artifacts_to_tag_objects: Callable[
        [object], mlrun.common.schemas.TagObjects
    ]  # MLRun's own, in the interface's base class


def put_tag(connection: sa.Connection, tag: str, row: tables.Row) -> None:
    """Move a tag to a version: off those of other trees, and off the same iteration of its own tree.

    The iterations of one run share its tags.
    """
    others = sa.select(_TABLE.c.id).where(
        _TABLE.c.project == row.project,
        _TABLE.c.key == row.key,
        sa.or_(_TABLE.c.tree.is_distinct_from(row.tree), _TABLE.c.iteration == row.iteration),
    )
    connection.execute(sa.delete(_TAGS).where(_TAGS.c.tag == tag, _TAGS.c.parent.in_(others)))
    connection.execute(sa.insert(_TAGS).values(parent=row.id, tag=tag))


def _remove(connection: sa.Connection, rows: list[tables.Row], tag: str | None = None) -> None:
    condition = _TAGS.c.parent.in_([row.id for row in rows])
    connection.execute(sa.delete(_TAGS).where(condition, *queries.where_equal(_TAGS.c.tag, tag)))


def _named_by(connection: sa.Connection, project: str, objects: _Named) -> list[tables.Row]:
    named = mlrun.common.schemas.TagObjects(**objects) if isinstance(objects, dict) else objects
    if named.kind != "artifact":
        raise mlrun.errors.MLRunInvalidArgumentError(f"only artifacts can be tagged so, not '{named.kind}'")
    found: dict[int, tables.Row] = {}
    for identifier in named.identifiers:
        conditions = [
            *queries.where_project(_TABLE.c.project, project),
            *queries.where_name(_TABLE.c.key, identifier.key),
            *queries.where_equal(_TABLE.c.kind, identifier.kind),
            *queries.where_equal(_TABLE.c.uid, identifier.uid),
            *queries.where_equal(_TABLE.c.tree, identifier.producer_id),
            *([_TABLE.c.iteration == identifier.iter] if identifier.iter is not None else []),
        ]
        found |= {row.id: row for row in connection.execute(sa.select(_TABLE).where(*conditions))}
    return list(found.values())
