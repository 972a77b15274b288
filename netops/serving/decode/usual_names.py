"""Samples as files may hold them: time and device under other usual names, and numbers as names of devices."""

from collections.abc import Iterable
from typing import Any

from netops.telemetry.columns.known_names import DEVICES, TIMES, WEAK_DEVICES, key_of
from netops.telemetry.schema import DEVICE, TIMESTAMP

_TIME_KEYS = {key_of(name): rank for rank, name in enumerate(TIMES)}
# A name that means other things as often says nothing of one sample alone.
_DEVICE_KEYS = {key_of(name): rank for rank, name in enumerate(DEVICES) if name not in WEAK_DEVICES}


def as_in_files(item: Any, metrics: Iterable[str]) -> dict[str, Any] | None:
    """Write a sample under the names ``timestamp`` and ``device``, as telemetry in files is read.

    Parameters
    ----------
    item : any
        One sample, parsed.
    metrics : iterable of str
        Names that are metrics, whatever else they may mean.

    Returns
    -------
    dict or None
        None where nothing of it would be read differently.
    """
    if not isinstance(item, dict):
        return None
    taken = {TIMESTAMP, DEVICE, *metrics}
    found = dict(item)
    for wanted, known in ((TIMESTAMP, _TIME_KEYS), (DEVICE, _DEVICE_KEYS)):
        if wanted not in item:
            names = [name for name in item if isinstance(name, str) and name not in taken and key_of(name) in known]
            if names:
                found[wanted] = item[min(names, key=lambda name: known[key_of(name)])]
    device = found.get(DEVICE)
    if isinstance(device, int) and not isinstance(device, bool):
        found[DEVICE] = str(device)
    return None if found == item and type(device) is type(item.get(DEVICE)) else found
