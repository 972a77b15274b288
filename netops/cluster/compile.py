"""A workflow of the project as the Argo document that Kubeflow runs."""

import ast
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import yaml

from netops.cluster.equipment import refuse_unbuilt
from netops.cluster.settings import ClusterSettings, read_cluster_settings, with_cluster
from netops.config.durations import SECOND
from netops.errors import UsageError, closest
from netops.files import write_text
from netops.tracking.install import names_service
from netops.tracking.mlrun_types import Project
from netops.workflows.project import load_project
from netops.workflows.project_folder import PROJECT

Document = dict[str, Any]

_ANNOTATION = "pipelines.kubeflow.org/pipeline_spec"
_COMPILED_AT = "pipelines.kubeflow.org/pipeline_compilation_time"
_FUNCTION = "mlrun/function-uri"
#: Labels that MLRun's client sets from the compiling user.
_PERSONAL = ("owner=", "v3io_user=")
#: Argo replaces it by the id of the run.
WORKFLOW_ID = "{{workflow.uid}}"


def compile_workflow(workflow: str, arguments: Mapping[str, str], out: Path) -> Document:
    """Write a workflow as an Argo document, without asking any service.

    It runs on a cluster whose MLRun has never seen the project: each step carries its function and the address of
    the service. It is reproducible: it contains nothing of the machine, the user or the time.

    Parameters
    ----------
    workflow : str
        ``main``, ``retrain`` or ``score``.
    arguments : mapping
        Defaults of the pipeline's parameters; ``settings`` decides which families the graph trains, and what the
        stages request from the cluster.
    out : Path
        YAML file to write.

    Returns
    -------
    dict
        The document.

    Raises
    ------
    UsageError
        For a workflow or a parameter that the project does not have.
    NetopsError
        If the cluster section requires a feature of the service.
    """
    arguments = with_cluster(arguments)
    refuse_unbuilt(read_cluster_settings(arguments["settings"]))
    with _without_service():
        project = load_project()
        check_workflow(project, workflow)
        document = compiled(project, workflow, arguments)
    for template in document["spec"]["templates"]:
        _make_portable(template)
    write_text(out, yaml.safe_dump(document, sort_keys=False, width=100))
    return document


@contextmanager
def _without_service() -> Iterator[None]:
    """Compile with the embedded database, independent of any service."""
    address = os.environ.pop("MLRUN_DBPATH", None)
    try:
        yield
    finally:
        if address is not None:
            os.environ["MLRUN_DBPATH"] = address


def check_workflow(project: Project, workflow: str) -> None:
    """Refuse a workflow that project.yaml does not declare."""
    known = [str(declared["name"]) for declared in project.spec.workflows]
    if workflow not in known:
        raise UsageError(f"--workflow {workflow}: project.yaml has no such workflow{closest(workflow, known)}")


def compiled(project: Project, workflow: str, arguments: Mapping[str, str]) -> Document:
    """Compile by MLRun and KFP.

    Parameters
    ----------
    project : mlrun.projects.MlrunProject
        The project.
    workflow : str
        One of its workflows.
    arguments : mapping
        Arguments of the pipeline, with the cluster section among the settings.
    """
    settings = read_cluster_settings(arguments["settings"])
    settings.refuse_unknown({function["name"]: function for function in project.spec.functions})
    project.spec.artifact_path = ""  # the path of local runs does not exist on a cluster
    spec = project.spec._workflows[workflow]
    spec.args, spec.cleanup_ttl = dict(arguments), settings.ttl // SECOND
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch, redirect_stdout(sys.stderr), _as_set_up(project):
        draft = Path(scratch) / "workflow.yaml"
        project.save_workflow(workflow, str(draft), artifact_path=artifact_path(settings))
        document: Document = yaml.safe_load(draft.read_text(encoding="utf-8"))
    _set_defaults(document, arguments)
    document["metadata"]["annotations"].pop(_COMPILED_AT, None)
    return document


def artifact_path(settings: ClusterSettings) -> str:
    """Assign each run of a workflow its own folder for artifacts.

    Returns
    -------
    str
        With a placeholder for the id of the run; empty where only the service knows the path: then the stages add
        the id.
    """
    import mlrun

    path = settings.artifact_path or (str(mlrun.mlconf.artifact_path or "") if names_service() else "")
    for placeholder in ("{{project}}", "{{run.project}}"):
        path = path.replace(placeholder, PROJECT)
    return path if not path or WORKFLOW_ID in path else f"{path.rstrip('/')}/{WORKFLOW_ID}"


@contextmanager
def _as_set_up(project: Project) -> Iterator[None]:
    """Hold back MLRun's reload of the functions: it would throw away what project_setup gave them."""
    project.sync_functions = lambda *_args, **_kwargs: project.spec._function_objects
    try:
        yield
    finally:
        del project.sync_functions


def _set_defaults(document: Document, arguments: Mapping[str, str]) -> None:
    """Set the arguments as parameter defaults, both for Argo and for Kubeflow's page."""
    annotations = document["metadata"]["annotations"]
    annotation = json.loads(annotations[_ANNOTATION])
    parameters = {parameter["name"]: parameter for parameter in document["spec"]["arguments"]["parameters"]}
    inputs = {parameter["name"]: parameter for parameter in annotation["inputs"]}
    for name, value in arguments.items():
        if name not in parameters:
            raise UsageError(f"the workflow has no parameter '{name}'{closest(name, parameters)}")
        parameters[name]["value"] = value
        inputs[name] |= {"default": value, "optional": True}
    annotations[_ANNOTATION] = json.dumps(annotation)
    annotations["workflows.argoproj.io/title"] = annotation["name"]
    annotations["workflows.argoproj.io/description"] = annotation["description"]


def _make_portable(template: Document) -> None:
    """Leave out who compiled, and where."""
    if container := template.get("container"):
        container["command"] = _with_sorted_function(_in_order(_without_labels(container["command"])))
    annotations = template.get("metadata", {}).get("annotations", {})
    if _FUNCTION in annotations:
        annotations[_FUNCTION] = annotations[_FUNCTION].partition("@")[0]


def _in_order(command: list[str]) -> list[str]:
    """Sort the names of outputs, which are in arbitrary order."""
    indices = [index + 1 for index, word in enumerate(command) if word == "-o"]
    for index, output in zip(indices, sorted(command[index] for index in indices), strict=True):
        command[index] = output
    return command


def _with_sorted_function(command: list[str]) -> list[str]:
    """Sort the keys of the function that a step carries: MLRun gives them in the order of a set."""
    index = command.index("--runtime") + 1
    return [*command[:index], repr(_sorted(ast.literal_eval(command[index]))), *command[index + 1 :]]


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _without_labels(command: list[str]) -> list[str]:
    selected, words = [], iter(command)
    for word in words:
        if word == "--label":
            label = next(words)
            if label.startswith(_PERSONAL):
                continue
            selected += [word, label]
        else:
            selected.append(word)
    return selected
