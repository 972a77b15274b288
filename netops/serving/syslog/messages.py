"""Hands lines of syslog to the intake of a served network."""

from collections.abc import Sequence

from netops.logs.formats.protocol import Fields
from netops.serving.engine.runtime import Runtime
from netops.serving.logs.lines import fields_of


class LogLines:
    """Counts lines of syslog; lines without a host are of the device with the address of their sender.

    Parameters
    ----------
    runtime : Runtime

    Raises
    ------
    NetopsError
        If the champion was trained without logs.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._intake = runtime.intake("logs")
        self._longest = runtime.settings.messages.max_line

    def __call__(self, lines: Sequence[str], peers: Sequence[str]) -> None:
        """Count lines.

        Parameters
        ----------
        lines, peers : sequences of str, n
        """
        fields = fields_of(lines, self._longest)
        self._intake.add_fields([_with_host(found, peer) for found, peer in zip(fields, peers, strict=True)])


def _with_host(found: Fields | str, peer: str) -> Fields | str:
    return found._replace(host=peer) if isinstance(found, Fields) and not found.host else found
