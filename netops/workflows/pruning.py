"""Deletion of old runs: their records, files, and unreferenced model versions."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict

from netops import registry
from netops.config.durations import SECOND
from netops.config.paths import home
from netops.tracking.records import RunRecord
from netops.workflows.records.runs import PROJECT, moment_of, run_folder, steps_of, workflows


class Pruned(TypedDict):
    """What was removed."""

    runs: list[str]
    models: list[str]
    bytes: int


def prune(*, keep: int | None = None, older_than: int | None = None, dry_run: bool = False) -> Pruned:
    """Delete runs by number or by age.

    Parameters
    ----------
    keep : int, optional
        Number of the newest runs to retain.
    older_than : int, optional
        Nanoseconds; runs that began longer ago go.
    dry_run : bool
        Only report what would be removed.

    Returns
    -------
    dict
        Deleted ``runs`` and ``models``, and their ``bytes``.
    """
    import mlrun

    ended = [run for run in workflows() if run["status"]["state"] != "running"]
    old = [run["metadata"]["uid"] for index, run in enumerate(ended) if _is_old(index, run, keep, older_than)]
    unused = _unused_models(set(old))
    folders = [*map(run_folder, old), *(Path(model.path) for model in unused)]
    size = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
    if not dry_run:
        for run_id in old:
            _delete_run(run_id)
        for model in unused:
            mlrun.get_run_db().del_artifact(key=registry.model_key(model.network), project=PROJECT, uid=model.uid)
        for folder in folders:
            _delete_folder(folder)
    return {"runs": old, "models": [model.version for model in unused], "bytes": size}


def _is_old(index: int, run: RunRecord, keep: int | None, older_than: int | None) -> bool:
    if keep is not None:
        return index >= keep
    age = timedelta(seconds=(older_than or 0) / SECOND)
    return moment_of(run["status"]["start_time"]) < datetime.now(UTC) - age


def _unused_models(old_runs: set[str]) -> list[registry.Model]:
    """List the versions that only these runs made and that have never been in service."""
    every = registry.versions()
    used = {network: registry.in_use(network) for network in {model.network for model in every}}
    return [m for m in every if m.tree in old_runs and m.version not in used[m.network] and not m.shadow]


def _delete_run(run_id: str) -> None:
    import mlrun

    db = mlrun.get_run_db()
    for artifact in db.list_artifacts(project=PROJECT, tree=run_id, tag="*"):
        if artifact["kind"] != "model":
            uid = artifact["metadata"]["uid"]
            db.del_artifact(key=artifact["spec"]["db_key"], project=PROJECT, tree=run_id, uid=uid)
    for step in steps_of(run_id):
        db.del_run(step["metadata"]["uid"], PROJECT)
    db.del_run(run_id, PROJECT)


def _delete_folder(folder: Path) -> None:
    """Delete a folder of NetOps; other paths in a record are not touched."""
    if home() in folder.resolve().parents:
        shutil.rmtree(folder, ignore_errors=True)
