"""Detect the format of a log file from its first lines."""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from netops.errors import NetopsError
from netops.logs.formats.csv import header_of
from netops.logs.formats.names import FORMATS
from netops.logs.formats.protocol import Fields
from netops.logs.formats.registry import BY_LINE, CSV, DOCUMENT, JSON

#: Minimum fraction of the lines that are not continuations.
_MIN_SHARE = 0.5
_ADVICE = "set it with --log-format"
_decode = msgspec.json.Decoder().decode


def detect(lines: Sequence[str], where: str, is_device: Callable[[str], bool] | None = None) -> str:
    """Find the format that most lines have.

    Parameters
    ----------
    lines : sequence of str
        The first lines of a file.
    where : str
        The file, for errors.
    is_device : callable, optional
        Whether a name is that of a known device.

    Returns
    -------
    str
        A key of ``names.FORMATS``, or ``json document``.

    Raises
    ------
    NetopsError
        If no format fits, or several do.
    """
    filled = [line for line in lines if line.strip()]
    if not filled:
        raise NetopsError(f"{where}: no lines")
    if found := _structured(filled):
        return found
    starts = [line for line in filled if line[0] not in " \t"] or filled
    shares = {
        name: sum(parse(line) is not None for line in starts) / len(starts) for name, parse in BY_LINE.items()
    }
    fitting = [name for name, share in shares.items() if share >= _MIN_SHARE]
    if not fitting:
        raise NetopsError(
            f"{where}: no known log format (first line: {starts[0][:120]!r}); {_ADVICE}: {_listed(FORMATS)}"
        )
    if set(fitting) == {"plain", "single"}:
        fitting = _with_host(starts, where, is_device)
    elif fitting[-1] == "single" and len(fitting) > 1:
        fitting.remove("single")
    if len(fitting) > 1:
        raise NetopsError(f"{where}: ambiguous log format; {_ADVICE}: {_listed(fitting)}")
    return fitting[0]


def _listed(names: Sequence[str] | dict[str, str]) -> str:
    return "; ".join(f"{name} ({FORMATS[name]})" for name in names)


def _structured(filled: Sequence[str]) -> str:
    """Return the format of lines that are JSON or CSV; empty if they are neither."""
    first = filled[0].lstrip("\ufeff \t")
    if first.startswith("{") or (first.startswith("[") and (_is_json(first) or first.strip() in ("[", "[{"))):
        return json_kind(filled)
    return CSV if header_of(filled[0]) is not None and not _is_line(filled[0]) else ""


def json_kind(lines: Sequence[str]) -> str:
    """Return whether each line is a JSON value, or all of them together are one: the name of the format."""
    some = [line.lstrip("\ufeff") for line in lines if line.strip()][:5]
    return JSON if not some or any(map(_is_json, some)) else DOCUMENT


def _is_json(line: str) -> bool:
    try:
        return isinstance(_decode(line), dict | list)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False


def _is_line(line: str) -> bool:
    return any(isinstance(parse(line), Fields) for parse in BY_LINE.values())


def _with_host(lines: Sequence[str], where: str, is_device: Callable[[str], bool] | None) -> list[str]:
    """Decide whether the word after the time is a device."""
    parse = BY_LINE["plain"]
    hosts = Counter(fields.host for fields in map(parse, lines) if isinstance(fields, Fields))
    total = sum(hosts.values())
    if is_device is not None:
        is_host, is_file = any(map(is_device, hosts)), is_device(_stem(where))
        if is_host != is_file:
            return ["plain" if is_host else "single"]
        if is_host:
            return ["plain", "single"]
    # The same few words after the time may be devices; words of messages vary more.
    return ["plain"] if total < 5 or 2 * len(hosts) <= total else ["plain", "single"]


def _stem(where: str) -> str:
    return where.replace("\\", "/").rsplit("/", 1)[-1].split(".", 1)[0]
