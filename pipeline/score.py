"""The champion over a batch: ingestion → scoring."""

from pipeline.engine import step, workflow


@workflow("netops-score", "Take new telemetry of a network and score every sample with the model in service")
def pipeline(name: str, telemetry: str, settings: str = "{}") -> None:
    """Ingest telemetry and score it.

    Parameters
    ----------
    name : str
        The network.
    telemetry : str
        Sources of telemetry; several are separated by ``|``.
    settings : str
        All sections of the configuration, as JSON.
    """
    samples = step(
        "ingest",
        params={"settings": settings, "telemetry": telemetry},
        outputs=["telemetry"],
    )
    step(
        "score",
        params={"network": name, "settings": settings},
        inputs={"telemetry": samples.outputs["telemetry"]},
        outputs=["risks"],
    )
