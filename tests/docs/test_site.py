"""The generated references are those of the code, and the pages make a site without a broken link."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from netops.serving.engine.champion import FixedModel
from netops.serving.engine.runtime import Runtime
from tests.docs.pages import ROOT
from tests.serving.models import make_model
from tools import cli_reference, docs_pages, http_reference, metrics_reference

FOLDER = ROOT / "docs" / "reference"


@pytest.mark.parametrize("reference", [cli_reference, http_reference], ids=lambda module: module.__name__)
def test_the_reference_is_that_of_the_code(reference) -> None:
    path = FOLDER / f"{reference.__name__.rpartition('.')[2].removesuffix('_reference')}.md"
    assert path.read_text() == reference.reference(), f"python -m {reference.__name__} > {path.relative_to(ROOT)}"


def test_the_reference_of_the_metrics_is_that_of_a_server(tmp_path: Path) -> None:
    runtime = Runtime("network", FixedModel("v1", make_model(tmp_path / "model")), folder=tmp_path / "state")
    found = metrics_reference.reference(runtime)
    runtime.close()
    again = "python -m tools.metrics_reference > docs/reference/metrics.md"
    assert (FOLDER / "metrics.md").read_text() == found, again


@pytest.mark.parametrize(
    ("link", "page", "expected"),
    [
        ("[a](../README.md)", "serving.md", "[a](index.md)"),
        ("[a](../../CONTRIBUTING.md#conventions)", "runbooks/x.md", "[a](../contributing.md#conventions)"),
        ("[a](../notebooks/01-generator.ipynb)", "index.md", "a"),
        ("![a](images/report.png)", "index.md", "![a](images/report.png)"),
        ("[a](docs/serving.md#http)", "contributing.md", "[a](serving.md#http)"),
        ("[a](missing.md)", "index.md", "[a](missing.md)"),
        ("```\n[a](../README.md)\n```", "index.md", "```\n[a](../README.md)\n```"),
    ],
)
def test_links_lead_to_pages_of_the_site(link: str, page: str, expected: str) -> None:
    assert docs_pages.rewritten(link, page) == expected


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "index.html").read_text()
    assert "https://fonts" not in page
    assert 'src="http' not in page
