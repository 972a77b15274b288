"""What MLRun keeps of one step of a run: its log, and the files of its artifacts."""

from pathlib import Path

from netops.workflows.project_folder import PROJECT


def log_of(uid: str) -> str:
    """Return the log of a step."""
    import mlrun

    _, log = mlrun.get_run_db().get_log(uid, PROJECT)
    return log.decode("utf-8", "replace") if isinstance(log, bytes) else str(log or "")


def artifact_path(uid: str, key: str) -> Path | None:
    """Return the local path of a step's artifact; None if it is not on this machine."""
    import mlrun

    step = mlrun.get_run_db().read_run(uid, PROJECT)
    uri = (step["status"].get("artifact_uris") or {}).get(key)
    if not uri:
        return None
    target = str(mlrun.get_dataitem(uri).url)
    return None if "://" in target else Path(target)
