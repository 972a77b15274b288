"""Telemetry in a Parquet file."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from netops.errors import NetopsError
from netops.telemetry.columns import layout_of
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.sources.normal import Normaliser, device_named_after

_VALUES_A_BATCH = 4_000_000


class ParquetSource:
    """One Parquet file (see ``protocol.Source``)."""

    def __init__(self, path: Path, settings: TelemetrySettings) -> None:
        self.name, self._path, self._settings = str(path), path, settings
        self.ignored: dict[str, str] = {}
        self.done = 0
        try:
            about = pq.ParquetFile(path).metadata
        except (pa.ArrowInvalid, OSError) as error:
            raise NetopsError(f"{path}: not a Parquet file: {_first_line(error)}") from None
        self.size = path.stat().st_size
        self.memory = 8 * about.num_rows * about.num_columns
        self._batch_rows = max(1024, _VALUES_A_BATCH // max(1, about.num_columns))
        self._rows = max(1, about.num_rows)

    def batches(self) -> Iterator[pa.Table]:
        """Read it, some rows at a time."""
        file = pq.ParquetFile(self._path)
        layout = layout_of(file.schema_arrow.names, self._settings, self.name)
        normalise = Normaliser(layout, self.name, device_named_after(self._path))
        wanted = [name for name in file.schema_arrow.names if name not in layout.ignored]
        read = 0
        try:
            for batch in file.iter_batches(self._batch_rows, columns=wanted):
                yield normalise(batch)
                read += batch.num_rows
                self.done = self.size * read // self._rows
        except (pa.ArrowInvalid, OSError) as error:
            raise NetopsError(f"{self._path}: damaged: {_first_line(error)}") from None
        normalise.finish()
        self.ignored, self.done = normalise.ignored, self.size


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
