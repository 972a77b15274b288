"""The telemetry schema: column names of a sample."""

TIMESTAMP = "timestamp"
DEVICE = "device"
IS_ERROR = "is_error"
#: Columns of the location of a device; other text columns may also be static attributes.
COMPANY = "company"
DATA_CENTER = "data_center"

ERROR_SUFFIX = "_is_error"

START = "start"
END = "end"
#: Source of an incident or a verdict: the telemetry itself, the name of a log or webhook, an operator.
SOURCE = "source"
#: The source of an incident that is marked in the samples.
TELEMETRY = "telemetry"


def is_error_column(name: str) -> bool:
    """Return whether a column holds ground truth, which is never a metric or a feature."""
    return name == IS_ERROR or name.endswith(ERROR_SUFFIX)


def error_column(metric: str) -> str:
    """Return the ground-truth column of a metric: ``<metric>_is_error``."""
    return metric + ERROR_SUFFIX
