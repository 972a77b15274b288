"""What a stage tells of its work as MLRun results, under the names that the summary of a run reads."""

from typing import Any

from netops.telemetry.dataset import Dataset


def log_telemetry(context: Any, dataset: Dataset) -> None:
    """Log what a telemetry dataset holds."""
    meta = dataset.meta
    context.log_results(
        {
            "rows": meta.samples,
            "devices": meta.devices,
            "metrics": list(meta.metrics),
            "incidents": meta.incidents,
            "interval_seconds": meta.interval_seconds,
            "left_out": len(meta.left_out),
        }
    )
