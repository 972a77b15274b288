"""A workflow of the project as the Argo document that Kubeflow runs, made without a cluster."""

import json
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import yaml

from netops.errors import UsageError, closest
from netops.files import write_text
from netops.orchestration.project import load_project

Document = dict[str, Any]

_ANNOTATION = "pipelines.kubeflow.org/pipeline_spec"
_COMPILED_AT = "pipelines.kubeflow.org/pipeline_compilation_time"
_FUNCTION = "mlrun/function-uri"
#: Labels that MLRun's client takes from whoever compiles.
_PERSONAL = ("owner=", "v3io_user=")


def compile_workflow(workflow: str, arguments: Mapping[str, str], out: Path) -> Document:
    """Write a workflow as an Argo document.

    It says the same wherever it is compiled: it names functions without the version that a database gave them, and
    nothing of the machine, the person or the time.

    Parameters
    ----------
    workflow : str
        ``main``, ``retrain`` or ``score``.
    arguments : mapping
        Defaults of the pipeline's parameters; ``settings`` decides which families the graph trains.
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
    """
    project = load_project()
    check_workflow(project, workflow)
    document = compiled(project, workflow, arguments)
    for template in document["spec"]["templates"]:
        _make_portable(template)
    write_text(out, yaml.safe_dump(document, sort_keys=False, width=100))
    return document


def check_workflow(project: Any, workflow: str) -> None:
    """Refuse a workflow that project.yaml does not declare."""
    known = [declared["name"] for declared in project.spec.workflows]
    if workflow not in known:
        raise UsageError(f"--workflow {workflow}: project.yaml has no such workflow{closest(workflow, known)}")


def compiled(project: Any, workflow: str, arguments: Mapping[str, str]) -> Document:
    """Compile by MLRun and KFP, with the functions' versions in the database that is connected."""
    import sys

    from netops.orchestration.cluster import read_cluster_settings

    # What is kept for local runs is no place on a cluster.
    project.spec.artifact_path = read_cluster_settings().artifact_path
    project.spec._workflows[workflow].args = dict(arguments)
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch, redirect_stdout(sys.stderr):
        draft = Path(scratch) / "workflow.yaml"
        project.save_workflow(workflow, str(draft))
        document: Document = yaml.safe_load(draft.read_text(encoding="utf-8"))
    _set_defaults(document, arguments)
    document["metadata"]["annotations"].pop(_COMPILED_AT, None)
    return document


def _set_defaults(document: Document, arguments: Mapping[str, str]) -> None:
    """Make the arguments the defaults of the parameters, where Argo and where Kubeflow's page looks for them."""
    annotations = document["metadata"]["annotations"]
    told = json.loads(annotations[_ANNOTATION])
    parameters = {parameter["name"]: parameter for parameter in document["spec"]["arguments"]["parameters"]}
    inputs = {parameter["name"]: parameter for parameter in told["inputs"]}
    for name, value in arguments.items():
        if name not in parameters:
            raise UsageError(f"the workflow has no parameter '{name}'{closest(name, parameters)}")
        parameters[name]["value"] = value
        inputs[name] |= {"default": value, "optional": True}
    annotations[_ANNOTATION] = json.dumps(told)
    annotations["workflows.argoproj.io/title"] = told["name"]
    annotations["workflows.argoproj.io/description"] = told["description"]


def _make_portable(template: Document) -> None:
    """Name functions by their newest version, and leave out who compiled."""
    if container := template.get("container"):
        command = [_unversioned(word) for word in container["command"]]
        container["command"] = _in_order(_without_labels(command))
    annotations = template.get("metadata", {}).get("annotations", {})
    if _FUNCTION in annotations:
        annotations[_FUNCTION] = _unversioned(annotations[_FUNCTION])


def _unversioned(word: str) -> str:
    return word.partition("@")[0] if word.startswith(("db://", "netops/")) else word


def _in_order(command: list[str]) -> list[str]:
    """Sort the names of outputs, which come in the order of a set."""
    places = [place + 1 for place, word in enumerate(command) if word == "-o"]
    for place, output in zip(places, sorted(command[place] for place in places), strict=True):
        command[place] = output
    return command


def _without_labels(command: list[str]) -> list[str]:
    kept, words = [], iter(command)
    for word in words:
        if word == "--label":
            label = next(words)
            if label.startswith(_PERSONAL):
                continue
            kept += [word, label]
        else:
            kept.append(word)
    return kept
