"""Hands lines of syslog to the intake of a served network."""

import logging
from collections.abc import Sequence

from netops.errors import NetopsError
from netops.logs.formats.protocol import Fields
from netops.serving.engine.runtime import Runtime
from netops.serving.logs.lines import fields_of

_LOG = logging.getLogger(__name__)


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
        runtime.intake("logs")
        self._runtime, self._longest = runtime, runtime.settings.messages.max_line
        self._is_reported = False

    def __call__(self, lines: Sequence[str], peers: Sequence[str]) -> None:
        """Count lines.

        Parameters
        ----------
        lines, peers : sequences of str, n
        """
        try:
            intake = self._runtime.intake("logs")
        except NetopsError as error:  # a later champion; the next one may count them again
            self._report(error)
            return
        fields = fields_of(lines, self._longest)
        found = [_with_host(one, peer) for one, peer in zip(fields, peers, strict=True)]
        intake.add_fields(found, is_repeated=False)

    def _report(self, error: NetopsError) -> None:
        if not self._is_reported:
            _LOG.warning("syslog is not counted: %s", error)
            self._is_reported = True


def _with_host(found: Fields | str, peer: str) -> Fields | str:
    return found._replace(host=peer) if isinstance(found, Fields) and not found.host else found
