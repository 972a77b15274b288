"""Server, dashboard and scheduler without the packages that their image goes without."""

import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.serving.conftest import model  # noqa: F401
from tests.serving.samples import fleet

ROOT = Path(__file__).parents[2]
IMAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["netops"]["images"]

SCRIPT = """
import importlib, json, pkgutil, sys
from pathlib import Path

blocked, model, state, samples = json.loads(sys.argv[1])


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)


sys.meta_path.insert(0, Blocker())

from netops.cli.main import run

for command in ("schedule list", "schedule start --once", "models list", "runs list"):
    assert run(command.split()) == 0, command

import netops.dashboard
from netops.serving.http.app import make_app
from netops.serving.engine.champion import FixedModel
from netops.serving.mlrun.function import make_serving_function, start_graph
from netops.serving.mlrun.graph import pipeline_of
from netops.serving.engine.runtime import Runtime
from netops.serving.mlrun.service import GraphService
from netops.serving.requests.access import Access
from netops.serving.requests.dispatch import Dispatcher

for module in pkgutil.iter_modules(netops.dashboard.__path__):
    importlib.import_module(f"netops.dashboard.{module.name}")

runtime = Runtime("demo", FixedModel("v1", Path(model)), folder=Path(state))
graph = start_graph(make_serving_function(network="demo"), runtime)
make_app(Dispatcher(GraphService(graph, pipeline_of(graph.context)), Access(None)))
answers = pipeline_of(graph.context).run(samples)
runtime.close()
assert not set(blocked) & set(sys.modules)
print(json.dumps([len(answers), sum(answer.status == "scored" for answer in answers)]))
"""


def modules_of(distributions: set[str]) -> list[str]:
    """Name the modules that distributions bring."""
    owners = packages_distributions()
    return sorted(name for name, found in owners.items() if distributions & {canonicalize_name(o) for o in found})


@pytest.mark.slow
def test_nothing_of_the_training_stack_is_imported(model, tmp_path) -> None:  # noqa: F811
    blocked = modules_of({*IMAGES["without"], *IMAGES["serve-without"]})
    assert {"sklearn", "xgboost", "tensorflow", "optuna", "faker", "matplotlib", "scipy"} <= set(blocked)
    arguments = json.dumps([blocked, str(model), str(tmp_path / "state"), fleet(3, 20)])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, arguments],
        cwd=ROOT,
        env=os.environ | {"NETOPS_HOME": str(tmp_path / "home"), "MLRUN_DBPATH": ""},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [60, 60]
