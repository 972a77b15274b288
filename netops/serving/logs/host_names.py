"""Find the devices of the hosts that messages name."""

from netops.serving.engine.devices import DeviceTable
from netops.telemetry.incident_logs.matching import Names

#: Hosts whose device is stored.
_STORED = 50_000
#: Characters of a host (RFC 1035) that is stored: messages from outside may have hosts of any length.
_LONGEST = 255


class HostNames:
    """Devices by host name: exactly, then without case, domain and port, as in training.

    Parameters
    ----------
    table : DeviceTable
        The known devices.
    """

    def __init__(self, table: DeviceTable) -> None:
        self._table = table
        self._names = Names(())
        self._found: dict[str, str | None] = {}
        self._changes = -1

    def code(self, host: str) -> int | None:
        """Return the code of the device of a host; None if there is no such device, or several."""
        code = self._table.code(host)
        if code is not None:
            return code
        if self._changes != self._table.changes:
            self._update()
        device = self._names.find(host) if len(host) > _LONGEST else self._stored(host)
        return None if device is None else self._table.code(device)

    def _stored(self, host: str) -> str | None:
        if host not in self._found:
            if len(self._found) >= _STORED:
                self._found.clear()
            self._found[host] = self._names.find(host)
        return self._found[host]

    def add(self, host: str) -> int:
        """Make a host a device, for which there must be capacity; return its code."""
        is_current = self._changes == self._table.changes
        code = int(self._table.assign([host])[0])
        if is_current:
            self._names.add(host)
            self._found.pop(host, None)
            self._changes = self._table.changes
        return code

    def _update(self) -> None:
        self._changes = self._table.changes
        self._names.replace(filter(None, self._table.names))
        self._found.clear()
