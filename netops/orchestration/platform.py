"""Where the deploy stage puts a model: on Nuclio where the service has it, else a proof in this process."""

from collections.abc import Mapping
from typing import Any

from netops.orchestration import registry
from netops.orchestration.cluster import ClusterSettings, from_secret, read_cluster_settings
from netops.orchestration.settings import parse
from netops.serving.deployment import Here, Nuclio, NuclioOptions, Platform
from netops.tracking.folders import local_model
from netops.tracking.install import names_service


def platform_for(context: Any, network: str, model: Any, settings: Mapping[str, Any] | str) -> tuple[Platform, str]:
    """Choose where a model is started, and how it is named there.

    Parameters
    ----------
    context : mlrun.MLClientCtx
        The run that deploys it.
    network : str
        Whose model it is.
    model : mlrun.DataItem
        The model.
    settings : dict or str
        All sections of the configuration; the function serves, and alerts, by those of the same names.

    Returns
    -------
    tuple of Platform and str
        The platform, and the model's folder or ``store://`` address.
    """
    import mlrun

    if names_service() and mlrun.mlconf.is_nuclio_detected():
        options = nuclio_options(read_cluster_settings(settings), settings)
        replaces = previous_model(network) is not None
        return Nuclio(registry.the_project(), network, options, replaces), str(model.artifact_url)
    return Here(context.project, network), str(local_model(model))


def previous_model(network: str) -> str | None:
    """Give the address of the model that the champion has replaced, or None."""
    now = registry.champion(network)
    for entry in registry.history(network):
        if now and entry["version"] == now.version and entry["before"]:
            return registry.find(network, entry["before"]).uri
    return None


def nuclio_options(settings: ClusterSettings, configured: Mapping[str, Any] | str = "{}") -> NuclioOptions:
    """Read how the function runs from the cluster's section, and how it serves and alerts from those of the run."""
    serving, sections = settings.serving, parse(configured)
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
        parameters={name: sections[name] for name in ("serving", "alerting") if sections.get(name)},
    )
