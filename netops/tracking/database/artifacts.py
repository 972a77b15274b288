"""Artifacts of the run database: versions, tags, best iterations, deletion."""

import re

import mlrun
import mlrun.common.formatters
import mlrun.common.schemas
import mlrun.errors
import sqlalchemy as sa
from mlrun.artifacts.base import fill_artifact_object_hash
from mlrun.common.schemas.artifact import ArtifactsDeletionStrategies
from mlrun.lists import ArtifactList
from mlrun.utils import generate_artifact_uri, validate_artifact_key_name, validate_tag_name

from netops.tracking.database import artifact_tags, documents, queries, tables
from netops.tracking.database.connection import Connection
from netops.tracking.database.documents import Document

_TABLE = tables.artifacts
_TAGS = tables.artifact_tags
_SORT = {"created": "created", "updated": "updated"}
_GROUPS = {"name": ("key",), "project_and_name": ("project", "key")}


class Artifacts(artifact_tags.ArtifactTags):
    """The part of MLRun's run database interface that is about artifacts."""

    _connection: Connection

    def store_artifact(
        self,
        key: str,
        artifact: object,
        iter: int | None = None,
        tag: str | None = None,
        project: str = "",
        tree: str | None = None,
    ) -> Document:
        """Store a version of an artifact under a tag (and as the latest, if it is new), and give it back."""
        project, document = queries.active(project), documents.copy(artifact)
        meta = documents.section(document, "metadata")
        iteration = int(iter if iter is not None else meta.get("iter") or 0)
        if document.get("kind") == "link":
            with self._connection.write() as connection:
                return _given(_mark_best(connection, project, key, document), None)
        validate_artifact_key_name(key, "artifact.key")
        validate_tag_name(tag or "latest", "artifact.metadata.tag")
        meta["key"], meta["project"] = meta.get("key") or key, meta.get("project") or project
        uid = fill_artifact_object_hash(document, iteration, tree)
        with self._connection.write() as connection:
            row, is_new = _write(connection, project, key, uid, iteration, tree, document)
            for name in {tag or "latest", *(("latest",) if is_new else ())}:
                artifact_tags.put_tag(connection, name, row)
            return _given(row, tag)

    def read_artifact(
        self,
        key: str,
        tag: str | None = None,
        iter: int | None = None,
        project: str = "",
        tree: str | None = None,
        uid: str | None = None,
        format_: str = mlrun.common.formatters.ArtifactFormat.full,
    ) -> Document:
        """Return one version of an artifact: by default the latest, of iterations the best."""
        project, named, tag = queries.active(project), bool(tag), tag or "latest"
        conditions = [_TABLE.c.project == project, _TABLE.c.key == key]
        conditions += [*queries.where_equal(_TABLE.c.uid, uid), *queries.where_equal(_TABLE.c.tree, tree)]
        tagged = _TABLE.c.id.in_(sa.select(_TAGS.c.parent).where(_TAGS.c.tag == tag))
        # a version given by uid or tree is found regardless of its tags; "latest" is in the URIs of all outputs
        if not ((uid and tag == "latest") or (tree and not named)):
            conditions.append(tagged)
        query = sa.select(_TABLE, tagged.label("tagged")).where(*conditions)
        best_first = query.order_by(_TABLE.c.best_iteration.desc(), _TABLE.c.updated.desc(), _TABLE.c.id.desc())
        with self._connection.read() as connection:
            rows = connection.execute(best_first).all()
        exact = [row for row in rows if iter is None or row.iteration == int(iter)]
        best = [] if iter else [row for row in rows if row.best_iteration]
        if not (exact or best):
            uri = generate_artifact_uri(project, key, tag, iter, tree, uid)
            raise mlrun.errors.MLRunNotFoundError(f"artifact {uri} not found")
        row = [*exact, *best][0]
        return _given(row, tag if row.tagged else None, format_)

    def list_artifacts(
        self,
        name: str | None = None,
        project: str | None = None,
        tag: str | None = None,
        labels: queries.Labels = None,
        since: documents.Moment | None = None,
        until: documents.Moment | None = None,
        iter: int | None = None,
        best_iteration: bool = False,
        kind: str | None = None,
        category: str | None = None,
        tree: str | None = None,
        producer_uri: str | None = None,
        parent: str | None = None,
        format_: str = mlrun.common.formatters.ArtifactFormat.full,
        partition_by: str | None = None,
        rows_per_partition: int = 1,
        partition_sort_by: str = mlrun.common.schemas.SortField.updated,
        partition_order: str = mlrun.common.schemas.OrderType.desc,
    ) -> ArtifactList:
        """List versions of artifacts, the last changed first, one entry for each of their tags."""
        if best_iteration and iter is not None:
            raise mlrun.errors.MLRunBadRequestError("best_iteration cannot be combined with iter")
        if kind and category:
            raise mlrun.errors.MLRunBadRequestError("kind cannot be combined with category")
        conditions = [
            *queries.where_project(_TABLE.c.project, project),
            *queries.where_name(_TABLE.c.key, name),
            *queries.where_labels(_TABLE, labels),
            *queries.where_between(_TABLE.c.updated, since, until),
            *([_TABLE.c.iteration == int(iter)] if iter is not None else []),
            *([_TABLE.c.best_iteration] if best_iteration else []),
            *queries.where_equal(_TABLE.c.kind, kind),
            *_where_category(category),
            *queries.where_equal(_TABLE.c.tree, tree),
            *([_TABLE.c.producer_uri.contains(producer_uri, autoescape=True)] if producer_uri else []),
            *_where_parent(parent),
            *([_TAGS.c.tag == tag] if tag and tag != "*" else []),
        ]
        joined = _TABLE.join(_TAGS, _TAGS.c.parent == _TABLE.c.id, isouter=not tag or tag == "*")
        order = (_TABLE.c.updated.desc(), _TABLE.c.id.desc(), _TAGS.c.tag)
        query = sa.select(_TABLE, _TAGS.c.tag.label("tag")).select_from(joined).where(*conditions).order_by(*order)
        with self._connection.read() as connection:
            rows = connection.execute(query).all()
        if partition_by:
            rows = queries.partition(
                rows,
                _GROUPS[str(partition_by)],
                _SORT[str(partition_sort_by)],
                rows_per_partition=rows_per_partition,
                newest_first=str(partition_order) == "desc",
            )
        return ArtifactList(_given(row, row.tag, format_) for row in rows)

    def del_artifact(
        self,
        key: str,
        tag: str | None = None,
        project: str = "",
        tree: str | None = None,
        uid: str | None = None,
        deletion_strategy: object = ArtifactsDeletionStrategies.metadata_only,
        secrets: dict[str, str] | None = None,
        iter: int | None = None,
    ) -> None:
        """Delete the versions selected by tag, tree, uid and iteration, and their data if requested."""
        strategy = ArtifactsDeletionStrategies(deletion_strategy)
        conditions = [
            _TABLE.c.project == queries.active(project),
            _TABLE.c.key == key,
            *queries.where_equal(_TABLE.c.uid, uid),
            *queries.where_equal(_TABLE.c.tree, tree),
            *([_TABLE.c.iteration == int(iter)] if iter is not None else []),
        ]
        if tag and tag != "*":
            conditions.append(_TABLE.c.id.in_(sa.select(_TAGS.c.parent).where(_TAGS.c.tag == tag)))
        with self._connection.read() as connection:
            rows = connection.execute(sa.select(_TABLE).where(*conditions)).all()
        if strategy != ArtifactsDeletionStrategies.metadata_only:
            for row in rows:
                _delete_data(documents.decode(row.document), strategy, secrets)
        with self._connection.write() as connection:
            connection.execute(sa.delete(_TABLE).where(_TABLE.c.id.in_([row.id for row in rows])))

    def del_artifacts(
        self,
        name: str | None = None,
        project: str | None = None,
        tag: str | None = None,
        labels: queries.Labels = None,
        days_ago: int = 0,
        tree: str | None = None,
    ) -> None:
        """Delete the versions of artifacts that filters leave (not their data)."""
        conditions = [
            *queries.where_project(_TABLE.c.project, project),
            *queries.where_name(_TABLE.c.key, name),
            *queries.where_labels(_TABLE, labels),
            *queries.where_equal(_TABLE.c.tree, tree),
        ]
        if tag and tag != "*":
            conditions.append(_TABLE.c.id.in_(sa.select(_TAGS.c.parent).where(_TAGS.c.tag == tag)))
        with self._connection.write() as connection:
            connection.execute(sa.delete(_TABLE).where(*conditions))


def _given(row: tables.Row, tag: str | None, format_: str = "full") -> Document:
    document = documents.decode(row.document)
    meta = document["metadata"]
    meta["tag"] = tag
    return mlrun.common.formatters.ArtifactFormat.format_obj(document, format_ or "full")


def _write(
    connection: sa.Connection,
    project: str,
    key: str,
    uid: str,
    iteration: int,
    tree: str | None,
    document: Document,
) -> tuple[tables.Row, bool]:
    meta, spec = documents.section(document, "metadata"), documents.section(document, "spec")
    same = (_TABLE.c.project == project, _TABLE.c.key == key, _TABLE.c.uid == uid)
    known = connection.execute(sa.select(_TABLE).where(*same)).one_or_none()
    now = documents.now().isoformat()
    created = documents.decode(known.document)["metadata"]["created"] if known is not None else meta.get("created")
    meta.update(created=created or now, updated=now, iter=iteration)
    meta.pop("tag", None)
    document["kind"] = document.get("kind") or "artifact"
    spec["db_key"] = spec.get("db_key") or key
    values = {
        "project": project,
        "key": key,
        "uid": uid,
        "kind": document["kind"],
        "tree": tree or meta.get("tree"),
        "iteration": iteration,
        "best_iteration": iteration == 0 or (known is not None and known.best_iteration),
        "producer_uri": (spec.get("producer") or {}).get("uri"),
        "parent_uri": spec.get("parent_uri"),
        "created": documents.nanoseconds(meta["created"]),
        "updated": documents.nanoseconds(now),
        "document": documents.encode(document),
    }
    if known is None:
        connection.execute(sa.insert(_TABLE).values(values))
    else:
        connection.execute(sa.update(_TABLE).where(_TABLE.c.id == known.id).values(values))
    row = connection.execute(sa.select(_TABLE).where(*same)).one()
    queries.write_labels(connection, _TABLE, row.id, documents.labels_of(document))
    return row, known is None


def _mark_best(connection: sa.Connection, project: str, key: str, link: Document) -> tables.Row:
    """Make the iteration that a link names the best one of its tree."""
    spec = documents.section(link, "spec")
    iteration = int(spec.get("link_iteration") or 0)
    key, tree = spec.get("link_key") or key, spec.get("link_tree") or link["metadata"].get("tree")
    same = [_TABLE.c.project == project, _TABLE.c.key == key, *queries.where_equal(_TABLE.c.tree, tree)]
    query = sa.select(_TABLE).where(*same, _TABLE.c.iteration == iteration).order_by(_TABLE.c.updated.desc())
    best = connection.execute(query).first()
    if best is None:
        raise mlrun.errors.MLRunNotFoundError(f"best iteration {iteration} of artifact {project}/{key} not found")
    connection.execute(sa.update(_TABLE).where(*same).values(best_iteration=_TABLE.c.id == best.id))
    return best


def _where_category(category: str | None) -> queries.Where:
    if not category:
        return []
    kinds, excluded = mlrun.common.schemas.ArtifactCategories(category).to_kinds_filter()
    return [_TABLE.c.kind.not_in(kinds) if excluded else _TABLE.c.kind.in_(kinds)]


def _where_parent(parent: str | None) -> queries.Where:
    """Filter by the parent: its URI, or ``key`` or ``key:tag`` of it."""
    if not parent:
        return []
    if "://" in parent:
        return [_TABLE.c.parent_uri == parent]
    key, _, tag = parent.partition(":")
    named = _TABLE.c.parent_uri.regexp_match(rf"/{re.escape(key)}(?:[#:@^]|$)")
    return [named, *([_TABLE.c.parent_uri.contains(f":{tag}", autoescape=True)] if tag else [])]


def _delete_data(document: Document, strategy: ArtifactsDeletionStrategies, secrets: dict[str, str] | None) -> None:
    path = document["spec"].get("target_path")
    try:
        if not path:
            raise FileNotFoundError("it has no target path")
        mlrun.get_dataitem(path, secrets).delete()
    except Exception as error:
        if strategy == ArtifactsDeletionStrategies.data_force:
            key = document["metadata"].get("key")
            raise mlrun.errors.MLRunInternalServerError(
                f"the data of artifact {key} cannot be deleted ({error}); the artifact is not deleted"
            ) from error
