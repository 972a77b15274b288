"""Errors for users: one line with what is wrong, where, and what to do."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class NetopsError(Exception):
    """The work failed (exit code 1)."""


class UsageError(NetopsError):
    """Invalid usage: an option, a key or a value (exit code 2)."""


class CanceledError(NetopsError):
    """The work was canceled from elsewhere (exit code 130, as if it had been stopped here)."""


class FewLabelsError(NetopsError):
    """The labels do not suffice to train on; a model without labels is possible."""


class NoChampionError(NetopsError):
    """A network has no champion: none was trained yet, or none is in service any more."""


def closest(name: str, known: Iterable[str]) -> str:
    """Return a hint with the known name closest to an unknown one.

    Parameters
    ----------
    name : str
        The name that is not known.
    known : iterable of str
        The names that are.

    Returns
    -------
    str
        ``"; did you mean 'x'?"``, or the list of the known names where none is close.
    """
    names = sorted(set(known))
    found = get_close_matches(name, names, n=1, cutoff=0.6)
    return f"; did you mean '{found[0]}'?" if found else f"; known: {', '.join(names)}"


def brief(names: Sequence[str], limit: int = 8) -> str:
    """List some names and the total number."""
    shown = ", ".join(f"'{name}'" if not name.strip() else name for name in names[:limit])
    return shown + (f", … ({len(names)} in all)" if len(names) > limit else "")
