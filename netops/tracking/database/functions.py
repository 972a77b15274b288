"""Functions of the run database: versions by hash, tags that move between them."""

import mlrun.common.formatters
import mlrun.errors
import mlrun.utils
import sqlalchemy as sa

from netops.tracking.database import documents, queries, tables
from netops.tracking.database.connection import Connection
from netops.tracking.database.documents import Document

_TABLE = tables.functions
_TAGS = tables.function_tags
_UNVERSIONED = "unversioned-"


class Functions:
    """The part of MLRun's run database interface that is about functions."""

    _connection: Connection

    def store_function(
        self, function: object, name: str, project: str = "", tag: str | None = None, versioned: bool = False
    ) -> str:
        """Store a function under a tag (default ``latest``) and return its hash.

        A versioned one can still be found by its hash when the tag moves; else the tag has one function.
        """
        name, project = mlrun.utils.normalize_name(name), queries.active(project)
        document = documents.copy(function)
        meta = documents.section(document, "metadata")
        tag = tag or meta.get("tag") or "latest"
        hash_key = mlrun.utils.fill_function_hash(document, tag)
        if mlrun.utils.normalize_name(meta.setdefault("name", name)) != name:
            raise mlrun.errors.MLRunBadRequestError(f"function {meta['name']} cannot be stored as {name}")
        meta.update(tag="", updated=documents.now().isoformat())
        uid = hash_key if versioned else f"{_UNVERSIONED}{tag}"
        with self._connection.write() as connection:
            row = _write(connection, project, name, uid, document)
            _tag(connection, project, name, tag, row)
        return str(hash_key)

    def get_function(
        self, name: str, project: str = "", tag: str | None = None, hash_key: str | None = ""
    ) -> Document:
        """Return a function by its tag, or by its hash."""
        project = queries.active(project)
        with self._connection.read() as connection:
            row = _find(connection, project, mlrun.utils.normalize_name(name), tag, hash_key)
        if row is None:
            uri = mlrun.utils.generate_object_uri(project, name, tag, hash_key)
            raise mlrun.errors.MLRunNotFoundError(f"function {uri} not found")
        document = documents.decode(row.document)
        if tag or not hash_key:
            document["metadata"]["tag"] = tag or "latest"
        return document

    def delete_function(self, name: str, project: str = "") -> None:
        """Delete all versions of a function."""
        with self._connection.write() as connection:
            connection.execute(
                sa.delete(_TABLE).where(
                    _TABLE.c.project == queries.active(project), _TABLE.c.name == mlrun.utils.normalize_name(name)
                )
            )

    def list_functions(
        self,
        name: str | None = None,
        project: str | None = None,
        tag: str | None = None,
        kind: str | None = None,
        labels: queries.Labels = None,
        states: list[str] | None = None,
        format_: str = mlrun.common.formatters.FunctionFormat.full,
        since: documents.Moment | None = None,
        until: documents.Moment | None = None,
    ) -> list[Document]:
        """List versions of functions, one entry for each of their tags; ``tag="*"`` lists the tagged ones."""
        conditions = [
            *queries.where_project(_TABLE.c.project, project),
            *queries.where_name(_TABLE.c.name, name),
            *queries.where_equal(_TABLE.c.kind, kind),
            *queries.where_equal(_TABLE.c.state, states),
            *queries.where_labels(_TABLE, labels),
            *queries.where_between(_TABLE.c.updated, since, until),
            *([_TAGS.c.tag == tag] if tag and tag != "*" else []),
        ]
        joined = _TABLE.join(_TAGS, _TAGS.c.parent == _TABLE.c.id, isouter=not tag)
        query = (
            sa.select(_TABLE, _TAGS.c.tag).select_from(joined).where(*conditions).order_by(_TABLE.c.updated.desc())
        )
        with self._connection.read() as connection:
            rows = connection.execute(query).all()
        # a row without version whose tag has moved on is a left-over, not a version
        selected = (row for row in rows if row.tag or not row.uid.startswith(_UNVERSIONED))
        return [_listed(row, format_) for row in selected]


def _listed(row: tables.Row, format_: str) -> Document:
    document = documents.decode(row.document)
    if row.tag:
        document["metadata"]["tag"] = row.tag
    else:
        document["status"] = None
    return mlrun.common.formatters.FunctionFormat.format_obj(document, format_ or "full")


def _find(
    connection: sa.Connection, project: str, name: str, tag: str | None, hash_key: str | None
) -> tables.Row | None:
    query = sa.select(_TABLE).where(_TABLE.c.project == project, _TABLE.c.name == name)
    if hash_key and not tag:
        return connection.execute(query.where(_TABLE.c.uid == hash_key)).one_or_none()
    tagged = _TABLE.c.id.in_(
        sa.select(_TAGS.c.parent).where(
            _TAGS.c.project == project, _TAGS.c.name == name, _TAGS.c.tag == (tag or "latest")
        )
    )
    return connection.execute(query.where(tagged)).one_or_none()


def _write(connection: sa.Connection, project: str, name: str, uid: str, document: Document) -> int:
    values = {
        "project": project,
        "name": name,
        "uid": uid,
        "kind": document.get("kind"),
        "state": documents.section(document, "status").get("state"),
        "updated": documents.nanoseconds(document["metadata"]["updated"]),
        "document": documents.encode(document),
    }
    same = (_TABLE.c.project == project, _TABLE.c.name == name, _TABLE.c.uid == uid)
    row: int | None = connection.execute(sa.select(_TABLE.c.id).where(*same)).scalar_one_or_none()
    if row is None:
        row = queries.insert(connection, _TABLE, values)
    else:
        connection.execute(sa.update(_TABLE).where(_TABLE.c.id == row).values(values))
    queries.write_labels(connection, _TABLE, row, documents.labels_of(document))
    return row


def _tag(connection: sa.Connection, project: str, name: str, tag: str, row: int) -> None:
    same = (_TAGS.c.project == project, _TAGS.c.name == name, _TAGS.c.tag == tag)
    connection.execute(sa.delete(_TAGS).where(*same))
    connection.execute(sa.insert(_TAGS).values(project=project, name=name, tag=tag, parent=row))
