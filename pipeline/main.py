"""The whole way: generation → features → three trainings side by side → selection → deployment."""

from pipeline.engine import step, workflow
from pipeline.learning import learn


@workflow("netops-main", "Generate a network's telemetry, learn what comes before a failure, serve the best model")
def pipeline(name: str = "demo", settings: str = "{}") -> None:
    """Generate telemetry and learn from it.

    Parameters
    ----------
    name : str
        The network.
    settings : str
        All sections of the configuration, as JSON.
    """
    telemetry = step(
        "generate",
        title="Generate telemetry",
        params={"settings": settings},
        outputs=["telemetry"],
    )
    learn(name, settings, telemetry.outputs["telemetry"])
