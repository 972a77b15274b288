"""Projects of the run database."""

import mlrun
import mlrun.common.formatters
import mlrun.common.schemas
import mlrun.errors
import sqlalchemy as sa

from netops.tracking.database import documents, queries, tables
from netops.tracking.database.connection import Connection
from netops.tracking.database.documents import Document

_TABLE = tables.projects


class Projects:
    """The part of MLRun's run database interface that is about projects."""

    _connection: Connection

    def list_projects(
        self,
        owner: str | None = None,
        format_: str = mlrun.common.formatters.ProjectFormat.name_only,
        labels: queries.Labels = None,
        state: str | None = None,
    ) -> list[str] | list[mlrun.MlrunProject]:
        """List the names of projects, or the projects, by owner, labels and state."""
        conditions = [
            *queries.where_equal(_TABLE.c.owner, owner),
            *queries.where_equal(_TABLE.c.state, state),
            *queries.where_labels(_TABLE, labels),
        ]
        with self._connection.read() as connection:
            rows = connection.execute(sa.select(_TABLE).where(*conditions).order_by(_TABLE.c.name)).all()
        if str(format_) == mlrun.common.formatters.ProjectFormat.name_only:
            return [row.name for row in rows]
        return [_project(documents.decode(row.document), str(format_)) for row in rows]

    def get_project(self, name: str) -> mlrun.MlrunProject:
        """Return one project."""
        if not name:
            raise mlrun.errors.MLRunInvalidArgumentError("a project's name must be given")
        with self._connection.read() as connection:
            row = connection.execute(sa.select(_TABLE).where(_TABLE.c.name == name)).one_or_none()
        if row is None:
            raise mlrun.errors.MLRunNotFoundError(f"project {name} not found")
        return _project(documents.decode(row.document))

    def create_project(self, project: object) -> mlrun.MlrunProject:
        """Store a project whose name is not taken yet."""
        document = documents.copy(project)
        name = documents.section(document, "metadata").get("name", "")
        with self._connection.write() as connection:
            if connection.execute(sa.select(_TABLE.c.id).where(_TABLE.c.name == name)).first():
                raise mlrun.errors.MLRunConflictError(f"project {name} exists already")
            return _project(_write(connection, name, document))

    def store_project(self, name: str, project: object) -> mlrun.MlrunProject:
        """Store a project; one of the same name is replaced."""
        with self._connection.write() as connection:
            return _project(_write(connection, name, documents.copy(project)))

    def patch_project(
        self, name: str, project: Document, patch_mode: str = mlrun.common.schemas.PatchMode.replace
    ) -> mlrun.MlrunProject:
        """Change parts of a project; ``additive`` adds to its lists instead of replacing them."""
        additive = str(patch_mode) == mlrun.common.schemas.PatchMode.additive
        with self._connection.write() as connection:
            row = connection.execute(sa.select(_TABLE).where(_TABLE.c.name == name)).one_or_none()
            if row is None:
                raise mlrun.errors.MLRunNotFoundError(f"project {name} not found")
            merged = _merge(documents.decode(row.document), documents.copy(project), additive)
            return _project(_write(connection, name, merged))

    def delete_project(self, name: str, deletion_strategy: object = None) -> None:
        """Delete a project; a non-empty one requires the ``cascade`` strategy."""
        strategy = mlrun.common.schemas.DeletionStrategy(
            deletion_strategy or mlrun.common.schemas.DeletionStrategy.default()
        )
        with self._connection.write() as connection:
            if strategy.strategy_to_check() and (held := _held_by(connection, name)):
                raise mlrun.errors.MLRunPreconditionFailedError(
                    f"project {name} still contains {held}: delete it with the strategy 'cascade'"
                )
            if strategy.is_cascading() or strategy.is_restricted():
                for table in (tables.functions, tables.runs, tables.artifacts, tables.logs, tables.schedules):
                    connection.execute(sa.delete(table).where(table.c.project == name))
                connection.execute(sa.delete(_TABLE).where(_TABLE.c.name == name))


def _project(document: Document, format_: str = "full") -> mlrun.MlrunProject | tuple[str, str | None]:
    if format_ == mlrun.common.formatters.ProjectFormat.minimal:
        spec = documents.section(document, "spec")
        spec.update(functions=None, workflows=None, artifacts=None)
    if format_ == mlrun.common.formatters.ProjectFormat.name_and_creation_time:
        return document["metadata"]["name"], document["metadata"].get("created")
    return mlrun.MlrunProject.from_dict(document)


def _write(connection: sa.Connection, name: str, document: Document) -> Document:
    now = documents.now()
    meta, spec, status = (documents.section(document, part) for part in ("metadata", "spec", "status"))
    known = connection.execute(sa.select(_TABLE).where(_TABLE.c.name == name)).one_or_none()
    if meta.setdefault("name", name) != name:
        raise mlrun.errors.MLRunBadRequestError(f"project {name} cannot be stored as {meta['name']}")
    if known is not None:
        meta["created"] = documents.decode(known.document)["metadata"].get("created")
    meta["created"] = meta.get("created") or now.isoformat()
    status["state"] = spec.get("desired_state") or status.get("state") or "online"
    values = {
        "name": name,
        "owner": spec.get("owner"),
        "state": status["state"],
        "created": documents.nanoseconds(meta["created"]),
        "updated": documents.nanoseconds(now),
        "document": documents.encode(document),
    }
    if known is None:
        row = queries.insert(connection, _TABLE, values)
    else:
        row = known.id
        connection.execute(sa.update(_TABLE).where(_TABLE.c.id == row).values(values))
    queries.write_labels(connection, _TABLE, row, documents.labels_of(document))
    return document


def _merge(old: Document, new: Document, additive: bool) -> Document:
    return old | {key: _merged(old.get(key), value, additive) for key, value in new.items()}


def _merged(old: object, new: object, additive: bool) -> object:
    if isinstance(old, dict) and isinstance(new, dict):
        return _merge(old, new, additive)
    if additive and isinstance(old, list) and isinstance(new, list):
        return old + new
    return new


def _held_by(connection: sa.Connection, name: str) -> str:
    held = []
    for table in (tables.functions, tables.runs, tables.artifacts):
        count = connection.execute(
            sa.select(sa.func.count()).select_from(table).where(table.c.project == name)
        ).scalar_one()
        if count:
            held.append(f"{count} {table.name}")
    return ", ".join(held)
