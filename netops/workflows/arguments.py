"""The arguments of a workflow, all text, as Kubeflow holds them."""

import json
from collections.abc import Sequence

from netops.errors import UsageError
from netops.workflows.settings import Settings

#: Workflows that take telemetry from a source; the others make their own.
FROM_A_SOURCE = ("retrain", "score")


def workflow_arguments(
    workflow: str, network: str | None, settings: Settings, telemetry: Sequence[str] = ()
) -> dict[str, str]:
    """Put the arguments of a workflow together.

    Parameters
    ----------
    workflow : str
        ``main``, ``retrain`` or ``score``.
    network : str, optional
        Default ``demo``.
    settings : Settings
        All sections of the configuration.
    telemetry : sequence of str
        Sources, for the workflows that take them.

    Raises
    ------
    UsageError
        If telemetry is given to a workflow that makes its own.
    """
    if telemetry and workflow not in FROM_A_SOURCE:
        raise UsageError(f"--telemetry: workflow '{workflow}' generates its own; take --workflow retrain")
    arguments = {"name": network or "demo", "settings": json.dumps(settings.document, sort_keys=True)}
    return arguments | ({"telemetry": "|".join(telemetry)} if telemetry else {})
