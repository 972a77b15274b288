"""Deployment target of the deploy stage: Nuclio if the service has it."""

from dataclasses import replace

from netops.cluster.settings import ClusterSettings, from_secret, read_cluster_settings
from netops.json_types import JsonObject, object_in
from netops.serving.mlrun.deployment import Nuclio, NuclioOptions
from netops.tracking.install import names_service
from netops.workflows.project import the_project
from netops.workflows.settings import Settings


def nuclio_for(network: str, settings: Settings, *, replaces: bool) -> Nuclio | None:
    """Return the real-time function of a network; None if the service has no Nuclio.

    Parameters
    ----------
    network : str
        Whose function it is.
    settings : Settings
        The function serves, and alerts, by those of the same names.
    replaces : bool
        Whether the network has a champion, which still receives traffic next to a canary.
    """
    import mlrun

    if not (names_service() and mlrun.mlconf.is_nuclio_detected()):
        return None
    options = nuclio_options(settings.cluster or read_cluster_settings(), settings.document)
    return Nuclio(the_project(), network, options, replaces)


def with_topic(settings: ClusterSettings, configured: JsonObject) -> ClusterSettings:
    """Add the topic of ``serving.stream.url``, unless cluster.yaml names a stream.

    Raises
    ------
    UsageError
        If the function cannot read a topic as it is deployed.
    """
    topic = object_in(object_in(configured, "serving"), "stream").get("url")
    if settings.serving.stream or not isinstance(topic, str) or not topic:
        return settings
    return replace(settings, serving=replace(settings.serving, stream=topic))


def nuclio_options(settings: ClusterSettings, configured: JsonObject) -> NuclioOptions:
    """Read how the function runs from the cluster's section, and how it serves and alerts from those of the run."""
    serving = with_topic(settings, configured).serving
    return NuclioOptions(
        image=settings.image,
        min_replicas=serving.min_replicas,
        max_replicas=serving.max_replicas,
        stream=serving.stream,
        state_claim=serving.state_claim,
        timeout=serving.ready_timeout,
        canary=serving.canary,
        environment=tuple(from_secret(secret) for secret in settings.secrets),
        requirements=settings.requirements,
        parameters={name: configured[name] for name in ("serving", "alerting") if configured.get(name)},
    )
