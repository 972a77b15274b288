"""The additional destination of telemetry, features and risks: Parquet locally, v3io on the platform."""

from pathlib import Path

from netops.config.paths import home
from netops.progress import Progress, silent
from netops.telemetry.settings import SinkSettings
from netops.telemetry.sinks.parquet import write_parquet
from netops.telemetry.sinks.rows import Rows
from netops.telemetry.sinks.stream import write_stream
from netops.telemetry.v3io.address import Address


def destination_of(sink: SinkSettings, network: str, kind: str) -> str | None:
    """Return the folder, table or stream for one kind of rows of a network; None if they are not written."""
    if not sink.to or kind not in sink.what:
        return None
    if not sink.to.startswith("v3io://"):
        # Stages do not run in the caller's working directory: a relative folder is relative to the state folder.
        return str(home() / Path(sink.to).expanduser() / network / kind)
    return str(Address.parse(sink.to).below(network, kind))


def write(rows: Rows, index: str, progress: Progress = silent) -> int:
    """Write rows to a folder, a table or a stream.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    NetopsError
        If a service cannot be reached or refuses.
    """
    if not index.startswith("v3io://"):
        return write_parquet(rows, Path(index), progress)
    if Address.parse(index).is_stream:
        return write_stream(rows, index, progress)
    # Late: imports pandas, 0.2 s of every command that reads telemetry.
    from netops.telemetry.sinks.v3io import write_table

    return write_table(rows, index, progress)
