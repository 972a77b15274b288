"""What people say of a network: incidents that were recorded, and verdicts on alerts; as it is kept and handed on.

Times are ISO 8601, UTC. What they mean for the labels of a training is told in ``docs/feedback.md``.
"""

from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from netops.errors import NetopsError

VerdictName: TypeAlias = Literal["confirmed", "dismissed", "repaired"]
CONFIRMED: VerdictName = "confirmed"
DISMISSED: VerdictName = "dismissed"
REPAIRED: VerdictName = "repaired"
#: The source of labels that rest on a verdict, and of incidents that the telemetry tells itself.
OPERATOR = "operator"


class Incident(msgspec.Struct, kw_only=True):
    """One recorded incident; without an end it still lasts.

    ``source`` says where it comes from, ``id`` which one of that source it is: the two make it one and the same.
    """

    source: str
    id: str
    device: str
    start: str
    end: str | None = None
    scenario: str = ""
    recorded: str = ""


class Statement(msgspec.Struct, kw_only=True):
    """What somebody said of an alert, and when; the latest statement of an alert counts.

    ``repaired_at`` says until when the device had been about to fail, where it was repaired before it did.
    """

    verdict: VerdictName
    by: str | None = None
    note: str | None = None
    repaired_at: str | None = None
    given: str = ""


class Verdict(Statement, kw_only=True):
    """The statement that counts, and the alert of a device that it is about.

    ``calm_since`` is when the risk had come down to stay, ``ended`` when the alert ended therefore.
    """

    alert: str
    device: str
    opened: str
    calm_since: str | None = None
    ended: str | None = None


class Feedback(msgspec.Struct, kw_only=True):
    """All that is known of a network."""

    network: str
    incidents: list[Incident] = []
    verdicts: list[Verdict] = []


def read_feedback(path: Path) -> Feedback:
    """Read what ``netops alerts export`` wrote.

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
    """Read the same from memory.

    Raises
    ------
    NetopsError
        If it is something else.
    """
    try:
        return msgspec.json.decode(content, type=Feedback)
    except msgspec.DecodeError as error:
        raise NetopsError(f"{where}: no feedback as 'netops alerts export' writes it: {error}") from None
