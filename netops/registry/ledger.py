"""The state machine of a network's models: a pure function of the transitions recorded so far.

A version is ``candidate → proven → champion → retired``, or ``rejected``. Each transition is one record, written in
one step; the state is what the records add up to. A record whose conditions do not hold when its turn comes has no
effect, so that two writers without a common transaction, or a writer that dies, leave a sound state behind.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

CANDIDATE, PROVEN, CHAMPION, RETIRED, REJECTED = "candidate", "proven", "champion", "retired", "rejected"

#: Kinds of records: four transitions of a version, two of a run, and the state of an older registry.
PROVE, PROMOTE, ROLL_BACK, REJECT = "prove", "promote", "rollback", "reject"
CANCEL, RESUME = "cancel", "resume"
IMPORT = "import"


@dataclass(frozen=True)
class Record:
    """One transition.

    Attributes
    ----------
    number : int
        One more than the highest that its writer had read.
    key : str
        Unique.
    kind : str
    version : str
        The version that changes; empty for a run.
    reason : str
    at : str
        When, ISO 8601.
    before : str
        The champion that the writer saw; a promotion or rollback counts only if it still is.
    run : str
        The pipeline run that requests it, if any.
    path : tuple of str
        Of an import: versions that have been in service, the oldest first.
    """

    number: int
    key: str
    kind: str
    version: str = ""
    reason: str = ""
    at: str = ""
    before: str = ""
    run: str = ""
    path: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[int, bool, str]:
        """Sort key; of two concurrent records, a cancellation comes first."""
        return self.number, self.kind != CANCEL, self.key


@dataclass(frozen=True)
class Change:
    """A version put in service, the version that it replaced, and the record of the change."""

    version: str
    before: str
    record: Record


@dataclass
class Ledger:
    """What the records of a network add up to.

    Attributes
    ----------
    champion : str or None
        The version in service.
    path : list of str
        Versions to roll back through, the oldest first, the champion last.
    states : dict
        Version → its state; one that is not there is a candidate.
    last : dict
        Version → the last record that changed it.
    changes : list of Change
        The oldest first.
    canceled : set of str
        Runs that must not put a model in service.
    applied : set of str
        Keys of the records that had an effect.
    number : int
        The highest seen.
    """

    champion: str | None = None
    path: list[str] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    last: dict[str, Record] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    canceled: set[str] = field(default_factory=set)
    applied: set[str] = field(default_factory=set)
    number: int = 0

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Ledger":
        """Add up records, given in any order."""
        ledger = cls()
        for record in sorted(records, key=lambda record: record.order):
            ledger.take(record)
        return ledger

    def state(self, version: str) -> str:
        """Return the state of a version."""
        return self.states.get(version, CANDIDATE)

    def promoted_by(self, run: str, version: str) -> bool:
        """Return whether a run has already promoted a version, even if it was replaced later."""
        promotions = (change.record for change in self.changes if change.record.kind == PROMOTE)
        return bool(run) and any((record.run, record.version) == (run, version) for record in promotions)

    def earlier(self) -> str | None:
        """Return the version that a rollback leads to; None if there is none."""
        return self.path[-2] if self.champion and len(self.path) > 1 else None

    def refusal(self, record: Record) -> str:
        """Return why a record has no effect; empty if it has one."""
        return _REFUSALS[record.kind](self, record) if record.kind in _REFUSALS else ""

    def take(self, record: Record) -> bool:
        """Add a record, and return whether it has an effect."""
        self.number = max(self.number, record.number)
        if self.refusal(record):
            return False
        self.applied.add(record.key)
        _EFFECTS[record.kind](self, record)
        return True

    def _prove(self, record: Record) -> None:
        self._becomes(record.version, PROVEN, record)

    def _promote(self, record: Record) -> None:
        rest = [version for version in self.path if version != record.version]
        self._serve([*rest, record.version], record)

    def _roll_back(self, record: Record) -> None:
        self._serve(self.path[: self.path.index(record.version) + 1], record)

    def _reject(self, record: Record) -> None:
        rest = [version for version in self.path if version != record.version]
        if self.champion == record.version:
            self._serve(rest, record)
        self.path = rest
        self._becomes(record.version, REJECTED, record)

    def _cancel(self, record: Record) -> None:
        self.canceled.add(record.run)

    def _resume(self, record: Record) -> None:
        self.canceled.discard(record.run)

    def _import(self, record: Record) -> None:
        if record.path:
            self._serve(list(record.path), record)
        for version in record.path[:-1]:
            self._becomes(version, RETIRED, record)
        if record.version:
            self._becomes(record.version, REJECTED, record)

    def _serve(self, path: list[str], record: Record) -> None:
        before = self.champion
        if before:
            self._becomes(before, RETIRED, record)
        self.champion, self.path = path[-1], path
        self._becomes(self.champion, CHAMPION, record)
        self.changes.append(Change(self.champion, before or "", record))

    def _becomes(self, version: str, state: str, record: Record) -> None:
        self.states[version], self.last[version] = state, record


def _cannot_prove(ledger: Ledger, record: Record) -> str:
    return "it is the champion" if ledger.champion == record.version else ""


def _cannot_promote(ledger: Ledger, record: Record) -> str:
    if record.run and record.run in ledger.canceled:
        return f"run {record.run[:12]} is canceled"
    if (ledger.champion or "") != record.before:
        return f"the champion is {ledger.champion} now, no longer {record.before or 'none'}"
    state = ledger.state(record.version)
    return "" if state in (PROVEN, RETIRED) else f"it is {state}"


def _cannot_roll_back(ledger: Ledger, record: Record) -> str:
    if (ledger.champion or "") != record.before:
        return f"the champion is {ledger.champion} now, no longer {record.before or 'none'}"
    return "" if record.version in ledger.path[:-1] else "it is no earlier champion"


def _cannot_reject(ledger: Ledger, record: Record) -> str:
    if ledger.champion == record.version and ledger.earlier() is None:
        return "it is the champion, and there is no earlier version to replace it"
    return ""


def _cannot_import(ledger: Ledger, record: Record) -> str:
    return "there are records already" if ledger.applied else ""


_REFUSALS = {
    PROVE: _cannot_prove,
    PROMOTE: _cannot_promote,
    ROLL_BACK: _cannot_roll_back,
    REJECT: _cannot_reject,
    IMPORT: _cannot_import,
}
_EFFECTS = {
    PROVE: Ledger._prove,
    PROMOTE: Ledger._promote,
    ROLL_BACK: Ledger._roll_back,
    REJECT: Ledger._reject,
    CANCEL: Ledger._cancel,
    RESUME: Ledger._resume,
    IMPORT: Ledger._import,
}
