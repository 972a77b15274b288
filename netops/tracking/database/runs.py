"""Runs of the run database: states, iterations, the filters of lists, and runs whose process has died."""

from datetime import timedelta

import mlrun
import mlrun.common.formatters
import mlrun.common.schemas
import mlrun.errors
import sqlalchemy as sa
from mlrun.common.runtimes.constants import RunStates
from mlrun.lists import RunList
from mlrun.utils import update_in

from netops.tracking.database import documents, queries, tables
from netops.tracking.database.connection import Connection
from netops.tracking.database.documents import Document
from netops.tracking.processes import Process, this_process

_TABLE = tables.runs
_SORT = {"created": "started", "updated": "updated"}
_GROUPS = {"name": ("name",), "project_and_name": ("project", "name")}


class Runs:
    """The part of MLRun's run database interface that is about runs."""

    _connection: Connection

    def store_run(self, struct: object, uid: str, project: str = "", iter: int = 0) -> None:
        """Store a run; its previous record is replaced."""
        document = documents.copy(struct)
        with self._connection.write() as connection:
            known = _find(connection, uid, queries.active(project), iter)
            _write(connection, known, document, uid, queries.active(project), iter)

    def update_run(
        self, updates: object, uid: str, project: str = "", iter: int = 0, timeout: object = None
    ) -> None:
        """Change parts of a run; keys are dotted paths, as ``status.state``."""
        changes = documents.copy(updates)
        with self._connection.write() as connection:
            known = _find_or_raise(connection, uid, queries.active(project), iter)
            document = documents.decode(known.document)
            for path, value in changes.items():
                update_in(document, path, value)
            _write(connection, known, document, uid, queries.active(project), iter)

    def abort_run(
        self, uid: str, project: str = "", iter: int = 0, timeout: object = None, status_text: str = ""
    ) -> None:
        """Mark a run as aborted; later reports of its process do not change that."""
        with self._connection.write() as connection:
            known = _find_or_raise(connection, uid, queries.active(project), iter)
            if known.state in RunStates.terminal_states():
                raise mlrun.errors.MLRunConflictError(f"run {uid} is {known.state} already and cannot be aborted")
            _abort(connection, known, status_text or "aborted on demand")

    def read_run(
        self, uid: str, project: str = "", iter: int = 0, format_: str = mlrun.common.formatters.RunFormat.full
    ) -> Document:
        """Return a run; the full format includes its artifacts."""
        project = queries.active(project)
        with self._connection.read() as connection:
            document = documents.decode(_find_or_raise(connection, uid, project, iter).document)
        if str(format_) == mlrun.common.formatters.RunFormat.full:
            document["status"]["artifacts"] = self._artifacts_of(document)
        return document

    def list_runs(
        self,
        name: str | None = None,
        uid: str | list[str] | None = None,
        project: str | None = None,
        labels: queries.Labels = None,
        states: list[str] | None = None,
        sort: bool = True,
        iter: bool = False,
        start_time_from: documents.Moment | None = None,
        start_time_to: documents.Moment | None = None,
        last_update_time_from: documents.Moment | None = None,
        last_update_time_to: documents.Moment | None = None,
        end_time_from: documents.Moment | None = None,
        end_time_to: documents.Moment | None = None,
        partition_by: str | None = None,
        rows_per_partition: int = 1,
        partition_sort_by: str | None = None,
        partition_order: str = mlrun.common.schemas.OrderType.desc,
        max_partitions: int = 0,
        with_notifications: bool = False,
    ) -> RunList:
        """List runs, the latest start first; without any filter the last one of each name, of a week."""
        starts, ends = (start_time_from, start_time_to), (end_time_from, end_time_to)
        times = (*starts, *ends, last_update_time_from, last_update_time_to)
        if not any((name, uid, labels, states, *times, partition_by, partition_sort_by, iter)):
            start_time_from = documents.now() - timedelta(days=7)
            partition_by, partition_sort_by = "project_and_name", "updated"
        conditions = [
            *queries.where_project(_TABLE.c.project, project),
            *queries.where_name(_TABLE.c.name, name),
            *queries.where_equal(_TABLE.c.uid, uid),
            *queries.where_equal(_TABLE.c.state, states),
            *queries.where_labels(_TABLE, labels),
            *queries.where_between(_TABLE.c.started, start_time_from, start_time_to),
            *queries.where_between(_TABLE.c.updated, last_update_time_from, last_update_time_to),
            *queries.where_between(_TABLE.c.ended, end_time_from, end_time_to),
            *([] if iter else [_TABLE.c.iteration == 0]),
            *([sa.false()] if with_notifications else []),  # those of local runs are pushed, not stored
        ]
        order = (_TABLE.c.started.desc(), _TABLE.c.id.desc()) if sort else ()
        with self._connection.read() as connection:
            rows = connection.execute(sa.select(_TABLE).where(*conditions).order_by(*order)).all()
        if partition_by:
            if not partition_sort_by:
                raise mlrun.errors.MLRunBadRequestError("partition_by needs partition_sort_by")
            rows = queries.partition(
                rows,
                _GROUPS[str(partition_by)],
                _SORT[str(partition_sort_by)],
                rows_per_partition=rows_per_partition,
                newest_first=str(partition_order) == "desc",
                max_partitions=max_partitions,
            )
        return RunList(documents.decode(row.document) for row in rows)

    def del_run(self, uid: str, project: str = "", iter: int = 0) -> None:
        """Delete a run with all its iterations and its log; one at work must be aborted first."""
        project = queries.active(project)
        with self._connection.write() as connection:
            known = _find(connection, uid, project, iter)
            if known is not None:
                _refuse_running(known.state, uid)
                _delete(connection, uid, project)

    def del_runs(
        self,
        name: str | None = None,
        project: str | None = None,
        labels: queries.Labels = None,
        state: str | None = None,
        days_ago: int = 0,
    ) -> None:
        """Delete the runs that filters leave (``days_ago``: started since then)."""
        since = documents.now() - timedelta(days=int(days_ago)) if days_ago else None
        conditions = [
            *queries.where_project(_TABLE.c.project, project),
            *queries.where_name(_TABLE.c.name, name),
            *queries.where_equal(_TABLE.c.state, state),
            *queries.where_labels(_TABLE, labels),
            *queries.where_between(_TABLE.c.started, since, None),
            _TABLE.c.iteration == 0,
        ]
        with self._connection.write() as connection:
            rows = connection.execute(sa.select(_TABLE).where(*conditions)).all()
            for row in rows:
                _refuse_running(row.state, row.uid)
                _delete(connection, row.uid, row.project)

    def release_run(self, uid: str, project: str = "") -> None:
        """Let a run that has ended be taken up again under its uid, by whichever process does."""
        with self._connection.write() as connection:
            row = _find_or_raise(connection, uid, queries.active(project), 0)
            if row.state in RunStates.terminal_states():
                connection.execute(sa.update(_TABLE).where(_TABLE.c.id == row.id).values(process=None))

    def process_of(self, uid: str, project: str = "") -> Process | None:
        """Return which process executes a run, if known."""
        with self._connection.read() as connection:
            row = _find_or_raise(connection, uid, queries.active(project), 0)
        return Process.from_json(row.process) if row.process else None

    def abort_abandoned_runs(self) -> list[str]:
        """Mark as aborted each unfinished run whose process has ended for sure, and give their uids."""
        unfinished = _TABLE.c.state.in_(RunStates.non_terminal_states())
        query = sa.select(_TABLE).where(unfinished, _TABLE.c.process.is_not(None))
        with self._connection.read() as connection:
            dead = [row for row in connection.execute(query) if Process.from_json(row.process).has_ended()]
        if not dead:
            return []
        with self._connection.write() as connection:
            # only if unchanged since it was read: the process may have ended just after it finished the run
            again = query.where(_TABLE.c.id.in_([row.id for row in dead]))
            rows = connection.execute(again).all()
            for row in rows:
                number = Process.from_json(row.process).pid
                _abort(connection, row, f"its process ({number}) ended before the run did")
            # without a process it can be resumed by a running one
            connection.execute(
                sa.update(_TABLE).where(_TABLE.c.id.in_([row.id for row in rows])).values(process=None)
            )
        return sorted({row.uid for row in rows})

    def _state_of(self, uid: str, project: str) -> str | None:
        with self._connection.read() as connection:
            row = _find(connection, uid, project, 0)
        return row.state if row is not None else None

    def _artifacts_of(self, document: Document) -> list[Document]:
        found = []
        for uri in (document["status"].get("artifact_uris") or {}).values():
            try:
                artifact = mlrun.datastore.get_store_resource(uri, db=self)
            except mlrun.errors.MLRunNotFoundError:
                continue  # deleted since
            found.append(artifact.to_dict())
        return found


def _find(connection: sa.Connection, uid: str, project: str, iteration: int) -> tables.Row | None:
    same = (_TABLE.c.project == project, _TABLE.c.uid == uid, _TABLE.c.iteration == int(iteration or 0))
    return connection.execute(sa.select(_TABLE).where(*same)).one_or_none()


def _find_or_raise(connection: sa.Connection, uid: str, project: str, iteration: int) -> tables.Row:
    row = _find(connection, uid, project, iteration)
    if row is None:
        uri = mlrun.model.RunObject.create_uri(project, uid, iteration)
        raise mlrun.errors.MLRunNotFoundError(f"run {uri} not found")
    return row


def _write(
    connection: sa.Connection, known: tables.Row | None, document: Document, uid: str, project: str, iteration: int
) -> None:
    meta, status = documents.section(document, "metadata"), documents.section(document, "status")
    now = documents.now()
    name = meta.get("name", "")
    if known is not None and known.name != name:
        raise mlrun.errors.MLRunBadRequestError(f"run {known.name} ({uid}) cannot be renamed to '{name}'")
    _complete(status, known, now.isoformat())
    process = known.process if known is not None and known.process else this_process().to_json()
    status.pop("artifacts", None)  # artifact_uris has them
    values = {
        "project": project,
        "uid": uid,
        "iteration": int(iteration or 0),
        "name": name,
        "state": status["state"],
        "started": documents.nanoseconds(status["start_time"]),
        "updated": documents.nanoseconds(now),
        "ended": documents.nanoseconds(status.get("end_time")),
        "process": process,
        "document": documents.encode(document),
    }
    if known is None:
        row = queries.insert(connection, _TABLE, values)
    else:
        row = known.id
        connection.execute(sa.update(_TABLE).where(_TABLE.c.id == row).values(values))
    queries.write_labels(connection, _TABLE, row, documents.labels_of(document))


def _complete(status: Document, known: tables.Row | None, now: str) -> None:
    """Fill in what each status has: state, start, last update, and the end once there is one."""
    status["state"] = status.get("state") or RunStates.created
    if known is not None and known.state == RunStates.aborted and known.process:
        status["state"] = RunStates.aborted
    earlier = documents.decode(known.document)["status"] if known is not None else {}
    status["start_time"] = status.get("start_time") or earlier.get("start_time") or now
    status["last_update"] = now
    if status["state"] in RunStates.terminal_states():
        status["end_time"] = earlier.get("end_time") or status.get("end_time") or now
    else:
        status.pop("end_time", None)


def _abort(connection: sa.Connection, row: tables.Row, text: str) -> None:
    document = documents.decode(row.document)
    documents.section(document, "status").update(state=RunStates.aborted, status_text=text)
    _write(connection, row, document, row.uid, row.project, row.iteration)


def _refuse_running(state: str, uid: str) -> None:
    if state in RunStates.not_allowed_for_deletion_states():
        raise mlrun.errors.MLRunBadRequestError(f"run {uid} is {state}: abort it before it is deleted")


def _delete(connection: sa.Connection, uid: str, project: str) -> None:
    for table in (_TABLE, tables.logs):
        connection.execute(sa.delete(table).where(table.c.project == project, table.c.uid == uid))
