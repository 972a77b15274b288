"""Records of feedback: recorded incidents and verdicts on alerts, as they are stored and exchanged.

Times are ISO 8601, UTC. ``docs/feedback.md`` describes their effect on training labels.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from netops.errors import NetopsError

VerdictName: TypeAlias = Literal["confirmed", "dismissed", "repaired"]
CONFIRMED: VerdictName = "confirmed"
DISMISSED: VerdictName = "dismissed"
REPAIRED: VerdictName = "repaired"
#: The source of labels from verdicts, and of incidents that are marked in the telemetry.
OPERATOR = "operator"


class Incident(msgspec.Struct, kw_only=True):
    """One recorded incident; without an end it is ongoing.

    ``source`` and ``id``, which is unique within the source, identify the incident.
    """

    source: str
    id: str
    device: str
    start: str
    end: str | None = None
    scenario: str = ""
    recorded: str = ""


class Statement(msgspec.Struct, kw_only=True):
    """A statement on an alert, with its time; the latest statement on an alert is valid.

    ``repaired_at`` is the time of repair, if the device was repaired before it failed.
    """

    verdict: VerdictName
    by: str | None = None
    note: str | None = None
    repaired_at: str | None = None
    given: str = ""


class Verdict(Statement, kw_only=True):
    """The valid statement on an alert, and the alert.

    ``calm_since`` is the time since which the risk stayed low, ``ended`` the resulting end of the alert.
    """

    alert: str
    device: str
    opened: str
    calm_since: str | None = None
    ended: str | None = None


class Feedback(msgspec.Struct, kw_only=True):
    """All feedback on a network."""

    network: str
    incidents: list[Incident] = []
    verdicts: list[Verdict] = []


def merge_feedback(network: str, found: Sequence[Feedback]) -> Feedback:
    """Return all feedback of several files, such as those of the partitions of a stream, in order of time.

    An incident that is in several files is returned once, as last recorded: its device was unknown at first.
    """
    incidents: dict[tuple[str, str], Incident] = {}
    for incident in sorted((incident for one in found for incident in one.incidents), key=_recorded):
        incidents[incident.source, incident.id] = incident
    verdicts = [verdict for one in found for verdict in one.verdicts]
    return Feedback(
        network=network,
        incidents=sorted(incidents.values(), key=lambda one: (one.start, one.device, one.source, one.id)),
        verdicts=sorted(verdicts, key=lambda one: (one.opened, one.alert)),
    )


def _recorded(incident: Incident) -> str:
    return incident.recorded


def read_feedback(path: Path) -> Feedback:
    """Read the output of ``netops alerts export``.

    Raises
    ------
    NetopsError
        If it cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NetopsError(f"{path}: cannot be read: {error.strerror}") from None
    return decode_feedback(content, str(path))


def decode_feedback(content: bytes, where: str) -> Feedback:
    """Parse the output of ``netops alerts export`` in memory.

    Raises
    ------
    NetopsError
        If it is not feedback.
    """
    try:
        return msgspec.json.decode(content, type=Feedback)
    except msgspec.DecodeError as error:
        raise NetopsError(f"{where}: not the output of 'netops alerts export': {error}") from None
