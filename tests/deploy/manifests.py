"""The manifests as files, and as `kubectl apply -k` sends them."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
#: The Kubernetes versions whose schemas the manifests have to fit.
VERSIONS = ["1.29", "1.30", "1.31"]


def read(name: str) -> dict[str, Any]:
    """Read a file of the folder."""
    return yaml.safe_load((FOLDER / name).read_text())


def built(program: str, folder: str = ".") -> list[dict[str, Any]]:
    """Build a kustomization with `kustomize` or `kubectl`."""
    verb = "build" if program.endswith("kustomize") else "kustomize"
    done = subprocess.run([program, verb, str(FOLDER / folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))
