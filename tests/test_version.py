"""One version, wherever it is written."""

import re
import tomllib
from pathlib import Path

import netops

ROOT = Path(__file__).parents[1]


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = project["version"]
    assert netops.__version__ == version
    tags = {
        "Makefile": rf"IMAGE \?= netops:{version}\n",
        "configurations/cluster.yaml": rf"image: netops:{version} ",
        "dashboards/compose.yaml": rf"image: netops:{version}\n",
        "deploy/kubernetes/kustomization.yaml": rf"newTag: {version}-serve\n",
        "deploy/kubernetes/stream/kustomization.yaml": rf"newTag: {version}-serve\n",
        "docs/upgrading.md": rf"`netops:{version}`",
        "CHANGELOG.md": rf"^## {version} - \d{{4}}-\d\d-\d\d\n",
    }
    for name, expected in tags.items():
        assert re.search(re.escape(version).join(expected.split(version)), (ROOT / name).read_text(), re.M), name
