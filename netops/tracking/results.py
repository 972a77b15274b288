"""Results that a stage logs to MLRun, under the names that the summary of a run reads.

Kubeflow takes each number among the results of a run for a metric, that of a step with retries twice (Argo has a
node for the step and one for the attempt), and keeps 50 of a pipeline. Rarely used numbers are logged
together, under one key.
"""

from collections.abc import Iterator, Mapping

from netops.json_types import JsonDict
from netops.telemetry.dataset import Dataset, Meta
from netops.telemetry.description import decision_lines, reading_lines
from netops.tracking.mlrun_types import StageContext
from netops.tracking.records import RunRecord

#: The result that contains the others, by name.
FURTHER = "further"
#: Maximum other metrics of a training: with three families, all stages stay below 50 metrics.
SHOWN = ("average_precision", "event_recall", "false_alarms_per_device_day", "median_lead_seconds", "fit_seconds")
_BUDGET = 17


def log_results(context: StageContext, shown: Mapping[str, object], further: Mapping[str, object]) -> None:
    """Log results, and others that Kubeflow is not to take for metrics."""
    context.log_results({**shown, FURTHER: dict(further)})


def log_figures(context: StageContext, figures: Mapping[str, object], families: int) -> None:
    """Log the metrics of a model, the main ones first.

    Parameters
    ----------
    figures : mapping
        Name → number or text.
    families : int
        How many trainings the pipeline has.
    """
    names = SHOWN[: max(_BUDGET // max(families, 1), 1)]
    hidden = {key for key, value in figures.items() if isinstance(value, (int, float)) and key not in names}
    log_results(
        context,
        {key: value for key, value in figures.items() if key not in hidden},
        {key: value for key, value in figures.items() if key in hidden},
    )


def results_of(run: RunRecord) -> JsonDict:
    """Return all results of a run by name, those that are logged together among the others."""
    results = run["status"].get("results") or {}
    further = results.get(FURTHER)
    shown = {key: value for key, value in results.items() if key != FURTHER}
    return {**further, **shown} if isinstance(further, Mapping) else shown


def log_telemetry(context: StageContext, dataset: Dataset) -> None:
    """Log the summary of a telemetry dataset."""
    meta = dataset.meta
    log_results(
        context,
        {
            "rows": meta.samples,
            "devices": meta.devices,
            "metrics": list(meta.metrics),
            "incidents": meta.incidents,
        },
        {"interval_seconds": meta.interval_seconds, "left_out": len(meta.left_out)},
    )


def summary_lines(meta: Meta) -> Iterator[str]:
    """Summarize the files read, the matched incident log and the columns that are not metrics, one line each."""
    yield from reading_lines(meta)
    yield from decision_lines(meta)
