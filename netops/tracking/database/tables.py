"""The tables of the run database: JSON documents, and the columns that filters need.

Times are int64 nanoseconds since the epoch (UTC). Documents are JSON as the MLRun client wrote them, without
fields with a separate column or table that change separately (tags, labels of artifacts).
"""

from typing import TypeAlias

import sqlalchemy
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

#: A row of any of these tables; its columns are attributes.
Row: TypeAlias = sqlalchemy.Row[tuple[object, ...]]

SCHEMA_VERSION = 3  # raise it with each change here, and add the step to migrations.STEPS

metadata = MetaData()


def _labels_of(name: str) -> Table:
    """Make the table of the labels of the rows of another one."""
    return Table(
        f"{name}_labels",
        metadata,
        Column("parent", ForeignKey(f"{name}s.id", ondelete="CASCADE"), primary_key=True),
        Column("name", Text, primary_key=True),
        Column("value", Text, nullable=False),
        Index(f"{name}_labels_by_value", "name", "value"),
    )


projects = Table(
    "projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("owner", Text),
    Column("state", Text),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)
project_labels = _labels_of("project")

functions = Table(
    "functions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("uid", Text, nullable=False),  # the hash of a version, or "unversioned-<tag>"
    Column("kind", Text),
    Column("state", Text),
    Column("updated", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("project", "name", "uid"),
)
function_labels = _labels_of("function")
function_tags = Table(
    "function_tags",
    metadata,
    Column("project", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("parent", ForeignKey("functions.id", ondelete="CASCADE"), nullable=False, index=True),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project", Text, nullable=False),
    Column("uid", Text, nullable=False),
    Column("iteration", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("started", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("process", Text),  # who runs it (processes.Process as JSON): a run ends with its process
    Column("document", Text, nullable=False),
    UniqueConstraint("project", "uid", "iteration"),
    Index("runs_by_name", "project", "name", "started"),
)
run_labels = _labels_of("run")

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("uid", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("tree", Text),
    Column("iteration", Integer, nullable=False),
    Column("best_iteration", Boolean, nullable=False),
    Column("producer_uri", Text),
    Column("parent_uri", Text),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("project", "key", "uid"),
    Index("artifacts_by_tree", "project", "tree"),
)
artifact_labels = _labels_of("artifact")
artifact_tags = Table(
    "artifact_tags",
    metadata,
    Column("parent", ForeignKey("artifacts.id", ondelete="CASCADE"), primary_key=True),
    Column("tag", Text, primary_key=True),
    Index("artifact_tags_by_tag", "tag"),
)

logs = Table(
    "logs",
    metadata,
    Column("project", Text, primary_key=True),
    Column("uid", Text, primary_key=True),
    Column("start", BigInteger, primary_key=True),  # offset of the first byte of the chunk in the whole log
    Column("body", LargeBinary, nullable=False),
)

schedules = Table(
    "schedules",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("cron", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("due", BigInteger),  # the next time that has not started
    Column("run", Text),  # uid of the run that has started and not finished
    Column("attempt", Integer, nullable=False),
    Column("again", BigInteger),  # when that run is tried next
    Column("last_run", Text),
    Column("last_state", Text),
    Column("document", Text, nullable=False),
    UniqueConstraint("project", "name"),
)

LABELS = {projects: project_labels, functions: function_labels, runs: run_labels, artifacts: artifact_labels}
