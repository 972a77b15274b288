"""The pipeline for given telemetry: ingestion → features → trainings → selection → deployment."""

from pipeline.engine import step, workflow
from pipeline.learning import learn


@workflow("netops-retrain", "Take new telemetry of a network, train challengers, serve the best model")
def pipeline(
    name: str,
    telemetry: str,
    incidents: str = "",
    test: str = "",
    test_incidents: str = "",
    settings: str = "{}",
) -> None:
    """Ingest telemetry and learn from it.

    Parameters
    ----------
    name : str
        The network.
    telemetry, test : str
        Sources of training and, if separate, test telemetry; several are separated by ``|``.
    incidents, test_incidents : str
        CSV of incidents for each; none if the telemetry is labelled.
    settings : str
        All sections of the configuration, as JSON.
    """
    samples = step(
        "ingest",
        params={
            "settings": settings,
            "network": name,
            "telemetry": telemetry,
            "incidents": incidents,
            "test": test,
            "test_incidents": test_incidents,
        },
        outputs=["telemetry"],
    )
    learn(name, settings, samples.outputs["telemetry"])
