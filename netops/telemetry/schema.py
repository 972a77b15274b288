"""The telemetry schema: what the columns of a sample are called."""

from collections.abc import Iterable

TIMESTAMP = "timestamp"
DEVICE = "device"
IS_ERROR = "is_error"
#: Columns that place a device; any text column is a static attribute beside them.
COMPANY = "company"
DATA_CENTER = "data_center"

ERROR_SUFFIX = "_is_error"

START = "start"
END = "end"
#: Of an incident or a verdict: who says so. The telemetry itself, the name of a log or webhook, an operator.
SOURCE = "source"
#: The source of an incident that the samples themselves mark.
TELEMETRY = "telemetry"


def is_error_column(name: str) -> bool:
    """Tell whether a column holds ground truth, which is never a metric or a feature."""
    return name == IS_ERROR or name.endswith(ERROR_SUFFIX)


def error_column(metric: str) -> str:
    """Name the ground truth of one metric: ``<metric>_is_error``."""
    return metric + ERROR_SUFFIX


def metric_columns(names: Iterable[str], attributes: Iterable[str]) -> list[str]:
    """Keep the names that are metrics: neither key, ground truth nor attribute."""
    others = {TIMESTAMP, DEVICE, *attributes}
    return [name for name in names if name not in others and not is_error_column(name)]
