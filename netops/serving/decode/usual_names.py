"""Alternative names of time and device in samples, as accepted in files, and integer device names."""

from collections.abc import Iterable

from netops.telemetry.columns.known_names import DEVICES, TIMES, WEAK_DEVICES, key_of
from netops.telemetry.schema import DEVICE, TIMESTAMP

_TIME_KEYS = {key_of(name): rank for rank, name in enumerate(TIMES)}
# Ambiguous names cannot be resolved from a single sample.
_DEVICE_KEYS = {key_of(name): rank for rank, name in enumerate(DEVICES) if name not in WEAK_DEVICES}


def as_in_files(item: object, metrics: Iterable[str]) -> dict[str, object] | None:
    """Rename time and device of a sample to ``timestamp`` and ``device``, as for files.

    Parameters
    ----------
    item : any
        A parsed sample.
    metrics : iterable of str
        Names of metrics, which are not renamed.

    Returns
    -------
    dict or None
        None if nothing changes.
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
