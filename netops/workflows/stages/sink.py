"""Write the output of a stage to the configured sink, in addition to the artifacts of its run."""

from netops import progress
from netops.telemetry.sinks.registry import destination_of, write
from netops.telemetry.sinks.rows import Rows
from netops.workflows.settings import Settings


def send(settings: Settings, network: str, kind: str, rows: Rows) -> str | None:
    """Send rows to the sink.

    Parameters
    ----------
    settings : Settings
        ``telemetry: sink`` is read.
    network : str
        Whose rows they are.
    kind : str
        ``telemetry``, ``features`` or ``risks``.
    rows : Rows
        What is sent.

    Returns
    -------
    str or None
        Where they went.

    Raises
    ------
    NetopsError
        If the sink cannot be reached, or refuses.
    """
    destination = destination_of(settings.telemetry.sink, network, kind)
    if destination is not None:
        count = write(rows, destination, progress.report)
        message = f"{count:,} rows of {kind} sent to {destination}"
        if count < rows.count:
            message = (
                f"{count:,} of {rows.count:,} rows of {kind} are in {destination}; it rejects rows that are "
                "older than the newest of its device"
            )
        progress.say(message)
    return destination
