"""Log messages in one normal form, batch by batch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from netops.telemetry.schema import DEVICE, TIMESTAMP

if TYPE_CHECKING:
    import pyarrow as pa

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Int8 = npt.NDArray[np.int8]

SEVERITY, MESSAGE = "severity", "message"


@dataclass(frozen=True)
class LogBatch:
    r"""Messages in the order of their file.

    Attributes
    ----------
    times : int64 array, n
        Nanoseconds since the epoch, UTC.
    devices : int32 array, n
        Index of the device in ``names``.
    severities : int8 array, n
        0 (emergency) to 7 (debug), -1 if unknown.
    messages : list of str, n
        The text after time and device; lines of a message of several lines are joined by ``\n``.
    names : list of str
        The names of the devices; a list that grows from batch to batch.
    """

    times: Int64
    devices: Int32
    severities: Int8
    messages: list[str]
    names: list[str]

    def __len__(self) -> int:
        return len(self.messages)

    def table(self) -> "pa.Table":
        """Return it as a table: timestamp, device, severity (null if unknown), message."""
        import pyarrow as pa

        # Late: a server counts messages without Arrow.
        from netops.telemetry.dataset import DEVICE_TYPE, TIME_TYPE

        unknown = self.severities < 0
        return pa.table(
            {
                TIMESTAMP: pa.array(self.times).cast(TIME_TYPE),
                DEVICE: pa.DictionaryArray.from_arrays(self.devices, self.names).cast(DEVICE_TYPE),
                SEVERITY: pa.array(self.severities, mask=unknown),
                MESSAGE: pa.array(self.messages, pa.string()),
            }
        )
