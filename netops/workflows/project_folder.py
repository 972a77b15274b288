"""Location and name of the MLRun project: project.yaml, components, pipeline and configurations."""

from pathlib import Path

import netops
from netops.config.paths import PROJECT as PROJECT


def project_root() -> Path:
    """Find the project: next to the library in a checkout, inside the package if installed."""
    package = Path(netops.__file__).resolve().parent
    checkout = package.parent
    return checkout if (checkout / "project.yaml").is_file() else package / "_project"
