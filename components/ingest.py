"""Stage: take telemetry from where its owner keeps it, checked and in one form."""

from pathlib import Path

from mlrun import MLClientCtx

from netops import progress
from netops.orchestration.settings import section
from netops.telemetry.dataset import TEST, Dataset
from netops.telemetry.ingest import ingest as ingest_telemetry
from netops.telemetry.settings import TelemetrySettings
from netops.tracking.folders import log_dataset, new_folder
from netops.tracking.results import log_telemetry


def ingest(
    context: MLClientCtx,
    settings: str,
    telemetry: str,
    incidents: str = "",
    test: str = "",
    test_incidents: str = "",
) -> None:
    """Bring telemetry into the schema.

    Parameters
    ----------
    telemetry, test : str
        Sources to learn from and, where they are apart, to be tested on; several are separated by ``|``.
    incidents, test_incidents : str
        CSV of the incidents of each.

    Logs the dataset ``telemetry``; telemetry to be tested on lies in its folder ``_test``.
    """
    folder, options = new_folder(context, "telemetry"), section(settings, "telemetry")
    dataset = _ingest(telemetry, incidents, folder, options)
    if test:
        _ingest(test, test_incidents, folder / TEST, options)
    log_dataset(context, "telemetry", dataset)
    log_telemetry(context, dataset)


def _ingest(sources: str, incidents: str, folder: Path, options: TelemetrySettings) -> Dataset:
    log = Path(incidents) if incidents else None
    return ingest_telemetry(sources.split("|"), folder, options, incidents=log, progress=progress.report)
