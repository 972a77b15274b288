"""Telemetry in a store of artifacts (``s3://``, ``gs://``, ``az://``, ``https://``, ``store://``) is downloaded.

Other addresses are read by the sources of telemetry themselves.
"""

import re
import tempfile
from pathlib import Path

from netops.errors import NetopsError
from netops.telemetry.sources.files import KNOWN, POSSIBLE
from netops.telemetry.sources.registry import SCHEMES
from netops.tracking.folders import FILES, local_folder
from netops.tracking.mlrun_types import DataItem

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://")


def fetch(address: str, scratch: Path) -> str:
    """Download a file, or the files of a folder, through MLRun's client of the store.

    Parameters
    ----------
    address : str
        Path or address.
    scratch : Path
        Folder for the downloads; the caller removes it.

    Returns
    -------
    str
        A local path; addresses of other kinds are unchanged.

    Raises
    ------
    NetopsError
        If the store is unknown, cannot be reached, or contains no such files.
    """
    scheme = _SCHEME.match(address)
    if scheme is None or scheme[1] in SCHEMES:
        return address
    import mlrun

    folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        return str(_download(mlrun.get_dataitem(address), folder))
    except NetopsError:
        raise
    except Exception as error:  # each store raises different errors
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise NetopsError(f"{address}: cannot be read: {reason}") from error


def _download(item: DataItem, folder: Path) -> Path:
    url = str(item.url).rstrip("/")
    name = url.rpartition("/")[2]
    if name.lower().endswith(POSSIBLE):
        item.download(str(folder / name))
        return folder / name
    names = [str(found).strip("/") for found in item.listdir()]
    if FILES in names:
        return local_folder(item)
    files = [found for found in names if found.lower().endswith(KNOWN) and not found.startswith(("_", "."))]
    files = [found for found in files if "/" not in found]
    if not files:
        raise NetopsError(f"{url}: no CSV or Parquet file there")
    import mlrun

    for found in files:
        mlrun.get_dataitem(f"{url}/{found}").download(str(folder / found))
    return folder
