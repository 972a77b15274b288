"""Match the host names of log lines with the devices of the telemetry."""

from collections import Counter
from collections.abc import Iterable

from netops.telemetry.incident_logs.matching import Names

UNKNOWN, AMBIGUOUS = -1, -2
#: Names that are counted one by one; more are counted together.
_MAX_HOSTS = 20_000
OTHERS = "…"


class DeviceNames:
    """Indexes of devices by the names that logs have for them.

    Parameters
    ----------
    devices : iterable of str, optional
        The devices of the telemetry; without them, every host is a device.
    others : bool
        Whether hosts that are none of them are further devices.

    Attributes
    ----------
    names : list of str
        The devices that were found in logs, in this order.
    unknown, ambiguous : Counter
        Lines by host that is no device, or the short name of several.
    renamed : dict
        Host as in the logs → device.
    """

    def __init__(self, devices: Iterable[str] | None = None, others: bool = False) -> None:
        self._others = others
        self.names: list[str] = []
        self.unknown: Counter[str] = Counter()
        self.ambiguous: Counter[str] = Counter()
        self.renamed: dict[str, str] = {}
        self._known = None if devices is None else Names(devices)
        self._codes: dict[str, int] = {}
        self._index: dict[str, int] = {}

    @property
    def matched(self) -> bool:
        """Whether hosts are matched with known devices."""
        return self._known is not None

    def is_device(self, host: str) -> bool:
        """Return whether a host is a known device."""
        return self._known is not None and self._known.find(host) is not None

    def codes(self, hosts: list[str]) -> list[int]:
        """Return the index of the device of each host in ``names``, or ``UNKNOWN`` or ``AMBIGUOUS``."""
        if len(self._codes) > _MAX_HOSTS:
            self._codes.clear()
        for host in dict.fromkeys(hosts):
            if host not in self._codes:
                self._codes[host] = self._code(host)
        return list(map(self._codes.__getitem__, hosts))

    def _code(self, host: str) -> int:
        device = host
        if self._known is not None:
            found = self._known.find(host)
            if found is None and (not self._others or self._known.is_ambiguous(host)):
                return AMBIGUOUS if self._known.is_ambiguous(host) else UNKNOWN
            device = found or host
        if device != host:
            self.renamed[host] = device
        if device not in self._index:
            self._index[device] = len(self.names)
            self.names.append(device)
        return self._index[device]

    def count(self, host: str, code: int, lines: int = 1) -> None:
        """Count lines of a host without a device."""
        counter = self.ambiguous if code == AMBIGUOUS else self.unknown
        counter[host if host in counter or len(counter) < _MAX_HOSTS else OTHERS] += lines
