"""Find the column, or the columns together, that identify the device."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol

from netops.telemetry.columns.known_names import WEAK_DEVICES, columns_of, key_of

_ID = re.compile(r"(?i:[_\-. ]id)$|[a-z]I[dD]$")


class RowsToLookAt(Protocol):
    """Rows of the files, which help to determine the roles of the columns."""

    def is_numeric(self, name: str) -> bool:
        """Return whether a column holds numbers in the first rows."""

    def varies(self, name: str) -> bool:
        """Return whether a column has more than one value, in all rows."""

    def is_key(self, keys: Sequence[str], name: str) -> bool:
        """Return whether rows that share ``keys`` differ in ``name``, and its values repeat."""

    def repeats(self, keys: Sequence[str]) -> bool:
        """Return whether several rows share ``keys``."""

    def all_match(self, name: str, pattern: re.Pattern[str]) -> bool:
        """Return whether the first values of a column are all of a form."""

    def holds_times(self, name: str) -> bool:
        """Return whether the first values of a column can be read as times."""


class AnyRows:
    """No rows: only names decide."""

    def is_numeric(self, name: str) -> bool:
        """See :class:`RowsToLookAt`."""
        return False

    def varies(self, name: str) -> bool:
        """See :class:`RowsToLookAt`."""
        return True

    def is_key(self, keys: Sequence[str], name: str) -> bool:
        """See :class:`RowsToLookAt`."""
        return False

    def repeats(self, keys: Sequence[str]) -> bool:
        """See :class:`RowsToLookAt`."""
        return False

    def all_match(self, name: str, pattern: re.Pattern[str]) -> bool:
        """See :class:`RowsToLookAt`."""
        return False

    def holds_times(self, name: str) -> bool:
        """See :class:`RowsToLookAt`."""
        return False


@dataclass(frozen=True)
class Devices:
    """The columns that identify the device, and the rejected candidates → reason."""

    columns: tuple[str, ...]
    not_devices: dict[str, str] = field(default_factory=dict)


def find_devices(names: Sequence[str], wanted: Sequence[str], rows: RowsToLookAt, times: Sequence[str]) -> Devices:
    """Find the device.

    Of several names that exist, the first one that varies is used; ``a+b`` means two columns together. Of a list
    in the configuration, several columns are combined if the first alone does not distinguish the rows.
    """
    usual = set(wanted) >= {"device", "node", "host", "instance"}
    found: list[tuple[str, ...]] = []
    weak: list[tuple[str, ...]] = []
    for name in wanted:
        matching = [columns_of(name, names)] if "*" not in name else [(c,) for c in _matching(name, names)]
        for columns in matching:
            if columns and columns not in (*found, *weak):
                (weak if usual and name in WEAK_DEVICES else found).append(columns)
    if not usual:
        return _asked_for(found, rows, times)
    varying = [columns for columns in found if any(map(rows.varies, columns))] if len(found) > 1 or weak else found
    if varying:
        return Devices(varying[0], _not_devices(varying[0], found, varying))
    for columns in weak:
        # An ambiguous name is only used if it alone distinguishes rows with the same timestamp.
        if rows.varies(columns[0]) and rows.is_key(times, columns[0]):
            return Devices(columns, _not_devices(columns, found, []))
    return Devices(found[0], _not_devices(found[0], found, [])) if found else Devices(())


def _asked_for(found: list[tuple[str, ...]], rows: RowsToLookAt, times: Sequence[str]) -> Devices:
    if len(found) <= 1:
        return Devices(found[0] if found else ())
    varying = [columns for columns in found if any(map(rows.varies, columns))] or found[:1]
    if len(varying) > 1 and rows.repeats((*times, *varying[0])):
        together = tuple(dict.fromkeys(name for columns in varying for name in columns))
        return Devices(together, _not_devices(together, found, varying))
    return Devices(varying[0], _not_devices(varying[0], found, varying))


def _not_devices(
    taken: tuple[str, ...], found: list[tuple[str, ...]], varying: list[tuple[str, ...]]
) -> dict[str, str]:
    others = [columns for columns in found if not set(columns) <= set(taken)]
    return {"+".join(columns): "varies too" if columns in varying else "constant" for columns in others}


def _matching(glob: str, names: Sequence[str]) -> list[str]:
    """Find the names that match a glob, case-insensitively; ``*_id`` also matches ``siteID`` and ``Site Id``."""
    if glob == "*_id":
        return [name for name in names if _ID.search(name.strip()) and key_of(name) not in ("itemid", "_id")]
    return [name for name in names if fnmatchcase(name.strip().lower(), glob.lower())]
