"""The whole way: generation → features → three trainings side by side → selection → deployment."""

from pipeline.engine import step, workflow
from pipeline.learning import learn


@workflow("netops-main", "Generate telemetry of a network, train models, serve the best one")
def pipeline(name: str = "demo", settings: str = "{}", continues: str = "false") -> None:
    """Generate telemetry and learn from it.

    Parameters
    ----------
    name : str
        The network.
    settings : str
        All sections of the configuration, as JSON.
    continues : str
        ``true``: the telemetry begins where the last of this network ended, for schedules.
    """
    telemetry = step(
        "generate",
        params={"settings": settings, "network": name, "continues": continues},
        outputs=["telemetry"],
    )
    learn(name, settings, telemetry.outputs["telemetry"])
