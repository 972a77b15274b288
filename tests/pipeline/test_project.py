"""project.yaml and the code hold together, and MLRun's own ways of running the project work."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from netops.training.families.registry import FAMILIES
from tests.compiled import COMPILED

ROOT = Path(__file__).parents[2]
PROJECT = yaml.safe_load((ROOT / "project.yaml").read_text())
SERVICE = "NETOPS_TEST_MLRUN_API"
PARTS = ("project.yaml", "project_setup.py", "components", "pipeline", "configurations", "netops")
#: A network that is learned from in seconds.
SMALL = {
    "fleet": {"devices": 16, "duration": "10h"},
    "metrics": {"errors": {"every": "4h"}},
    "telemetry": {"sink": {"to": "lake"}},
    "training": {"families": {name: {"enabled": False} for name in ("tensorflow", "sklearn", "extra_trees")}},
}


def handler_of(function: dict) -> ast.FunctionDef:
    tree = ast.parse((ROOT / function["url"]).read_text())
    return next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function["handler"])


def parameters_of(handler: ast.FunctionDef) -> dict[str, tuple[str, bool]]:
    """Give the type of each parameter, and whether it must be given."""
    arguments = handler.args.args[1:]
    required = len(arguments) - len(handler.args.defaults)
    return {
        argument.arg: (ast.unparse(argument.annotation), index < required)
        for index, argument in enumerate(arguments)
    }


FUNCTIONS = {function["name"]: parameters_of(handler_of(function)) for function in PROJECT["spec"]["functions"]}


@pytest.mark.parametrize("function", PROJECT["spec"]["functions"], ids=lambda function: function["name"])
def test_every_function_has_its_handler_and_says_what_it_does(function) -> None:
    handler = handler_of(function)
    assert ast.unparse(handler.args.args[0].annotation) == "MLClientCtx"
    assert ast.get_docstring(handler)


def test_every_component_is_a_function_of_the_project() -> None:
    files = {f"components/{path.name}" for path in (ROOT / "components").glob("*.py")} - {"components/__init__.py"}
    assert files == {function["url"] for function in PROJECT["spec"]["functions"]}


@pytest.mark.parametrize("workflow", PROJECT["spec"]["workflows"], ids=lambda workflow: workflow["name"])
def test_every_step_gives_its_stage_what_that_takes(compiled, workflow) -> None:
    from .conftest import options_of, steps

    for name, template in steps(compiled(workflow["name"])).items():
        takes = FUNCTIONS[template["metadata"]["labels"]["mlrun/function"]]
        params, inputs = options_of(template, "-p"), options_of(template, "-i")
        families = set(FAMILIES) if name == "select" else set()
        assert set(params) | set(inputs) - families <= set(takes), name
        assert {key for key, (_, required) in takes.items() if required} <= set(params) | set(inputs), name
        # MLRun unpickles an input that is not asked for as what it is
        assert {takes[key][0] for key in set(inputs) - families} <= {"DataItem"}, name


def test_every_stage_of_the_cluster_section_is_a_function() -> None:
    stages = yaml.safe_load((ROOT / "configurations" / "cluster.yaml").read_text())["stages"]
    assert set(stages) - {"default"} <= set(FUNCTIONS)


def test_the_functions_ask_for_what_the_cluster_section_says(home) -> None:
    from netops.cluster.settings import read_cluster_settings
    from netops.workflows.project import load_project

    project, settings = load_project(), read_cluster_settings()
    for name in FUNCTIONS:
        function, stage = project.get_function(name), settings.stage(name)
        assert function.spec.image == settings.image
        assert function.spec.resources["requests"] == {"memory": stage.memory, "cpu": stage.cpu}
        assert function.spec.resources["limits"] == {"memory": stage.memory}
        assert function.spec.state_thresholds["executing"] == f"{stage.timeout // 10**9}s"
    assert {w["cleanup_ttl"] for w in project.spec.workflows} == {settings.ttl // 10**9}


def test_secrets_node_selection_and_packages_reach_the_functions(home) -> None:
    from netops.cluster.equipment import apply
    from netops.cluster.settings import ClusterSettings
    from netops.config.binding import bind
    from netops.workflows.project import load_project

    project = load_project()
    values = {
        "secrets": ["store:AWS_SECRET_ACCESS_KEY"],
        "requirements": ["s3fs"],
        "stages": {"train": {"node_selector": {"pool": "large"}}},
    }
    apply(project, bind(ClusterSettings, values, "cluster.yaml"))
    train, features = project.get_function("train"), project.get_function("features")
    secret = {"secretKeyRef": {"name": "store", "key": "AWS_SECRET_ACCESS_KEY"}}
    assert {"name": "AWS_SECRET_ACCESS_KEY", "valueFrom": secret} in train.spec.env
    assert train.spec.node_selector == {"pool": "large"}
    assert not features.spec.node_selector
    assert "s3fs" in features.spec.build.requirements


def test_a_stage_that_is_run_by_itself_finds_nothing_of_another_run(home) -> None:
    import mlrun

    from netops.telemetry.dataset import Dataset
    from netops.workflows.project import load_project
    from netops.workflows.settings import read_settings

    project = load_project()
    settings = [read_settings(None, [f"fleet.devices={devices}", "fleet.duration=1h"]) for devices in (12, 16)]
    runs = [
        project.run_function("generate", params={"network": "solo", "settings": given.to_json()}, local=True)
        for given in settings
    ]
    made = [Dataset.open(Path(mlrun.get_dataitem(run.outputs["telemetry"]).local())) for run in runs]
    assert [dataset.meta.devices for dataset in made] == [12, 16]
    for address in (runs[0].outputs["telemetry"], f"file://{made[0].path}"):
        params = {"settings": settings[0].to_json(), "telemetry": address}
        taken = project.run_function("ingest", params=params, local=True)
        again = Dataset.open(Path(mlrun.get_dataitem(taken.outputs["telemetry"]).local()))
        assert (again.meta.devices, again.meta.samples) == (12, made[0].meta.samples)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stages": {"trian": {}}}, "did you mean 'train'?"),
        ({"stages": {"train": {"memry": "1Gi"}}}, "did you mean 'memory'?"),
        ({"secrets": ["token"]}, "write it as secret:key"),
    ],
)
def test_a_wrong_key_of_the_cluster_section_is_refused(values, message) -> None:
    from netops.cluster.settings import ClusterSettings
    from netops.config.binding import bind
    from netops.errors import UsageError

    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        bind(ClusterSettings, values, "cluster.yaml").refuse_unknown(FUNCTIONS)


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of the project with a small network: MLRun writes project.yaml back."""
    folder = tmp_path / "checkout"
    for part in PARTS:
        source, target = ROOT / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    for section, values in SMALL.items():
        path = folder / "configurations" / f"{section}.yaml"
        path.write_text(yaml.safe_dump(merged(yaml.safe_load(path.read_text()), values)))
    return folder


def merged(old, new):
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return old | {key: merged(old.get(key), value) for key, value in new.items()}


def environment(checkout: Path, **more: str) -> dict[str, str]:
    selected = {key: value for key, value in os.environ.items() if not key.startswith("MLRUN_")}
    own = {"NETOPS_HOME": str(checkout.parent / "state"), "PYTHONPATH": str(checkout)}
    return selected | COMPILED | own | more


def states(checkout: Path, env: dict[str, str]) -> dict[str, str]:
    """Read, as any client does, what became of the steps."""
    code = (
        "import json, netops.workflows.project as p; p.connect(); import mlrun\n"
        "runs = mlrun.get_run_db().list_runs(project='netops', labels=['kind=job']) or []\n"
        "local = mlrun.get_run_db().list_runs(project='netops', labels=['workflow'])\n"
        "print(json.dumps({r['metadata']['name']: r['status']['state'] for r in [*runs, *local]}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=checkout, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    return {name: state for name, state in found.items() if name in {*FUNCTIONS, "train-xgboost"}}


def shown(checkout: Path, env: dict[str, str], step: str) -> tuple[set[str], list[dict]]:
    """Write what MLRun gives Kubeflow of a step to show: names of the metrics, and what is on its page."""
    code = (
        "import json, sys, netops.workflows.project as p; p.connect(); import mlrun\n"
        "from mlrun_pipelines.common import ops\n"
        "ops.KFPMETA_DIR = ops.KFP_ARTIFACTS_DIR = sys.argv[2]\n"
        "db = mlrun.get_run_db(); [run] = db.list_runs(project='netops', name=sys.argv[1])\n"
        "ops.write_kfpmeta(db.read_run(run['metadata']['uid'], 'netops'))"
    )
    folder = checkout.parent / "shown"
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", code, step, str(folder)]
    done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((folder / "mlpipeline-metrics.json").read_text())["metrics"]
    page = json.loads((folder / "mlpipeline-ui-metadata.json").read_text())["outputs"]
    return {metric["name"] for metric in metrics}, page


ALL_WELL = dict.fromkeys(("generate", "features", "train-xgboost", "select", "deploy"), "completed")


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_mlruns_own_command_runs_it(checkout) -> None:
    env = environment(checkout)
    command = [sys.executable, "-m", "mlrun", "project", ".", "-n", "netops", "-r", "main", "--engine", "local"]
    done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr[-2000:]
    assert states(checkout, env) == ALL_WELL, done.stderr[-3000:]
    lake = checkout.parent / "state" / "lake" / "demo"
    assert all(list((lake / kind).glob("part-*.parquet")) for kind in ("telemetry", "features"))
    metrics, page = shown(checkout, env, "train-xgboost")
    assert {"average_precision", "event_recall", "fit_seconds"} <= metrics
    assert [(part["type"], "Run Report" in part["source"]) for part in page] == [("markdown", True)]


@pytest.mark.timeout(900)
def test_the_pipeline_with_a_service(checkout, tmp_path) -> None:
    address = os.environ.get(SERVICE)
    if not address:
        pytest.skip(f"{SERVICE} names no MLRun service")
    env = environment(checkout, MLRUN_DBPATH=address, MLRUN_ARTIFACT_PATH=str(tmp_path / "artifacts"))
    code = (
        "import mlrun\n"
        "project = mlrun.load_project('.', clone=False)\n"
        "status = project.run('main', engine='local', local=True, dirty=True, artifact_path={path!r})\n"
        "print(status.state); raise SystemExit(str(status.state).lower() != 'succeeded')"
    ).format(path=str(tmp_path / "artifacts"))
    done = subprocess.run([sys.executable, "-c", code], cwd=checkout, env=env, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert states(checkout, env) == ALL_WELL
    runs, models = message(env, "runs", "list"), message(env, "models", "list")
    assert (runs[0]["workflow"], runs[0]["state"]) == ("main", "completed")
    assert message(env, "runs", "show", runs[0]["run_id"])[0]["state"] == "completed"
    assert models[0]["family"] == "xgboost"


def message(env: dict[str, str], *verb: str) -> list[dict]:
    """Read what the command says: JSON by lines, and nothing else on stdout."""
    command = [sys.executable, "-m", "netops.cli.main", *verb, "--json"]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
