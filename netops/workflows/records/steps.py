"""The steps of the workflows as people read them: their titles, and the words for their states."""

#: Label of a step's run: the workflow that it belongs to.
LABEL = "netops-workflow"
WORKFLOWS = ("main", "retrain", "score")

_TITLES = {
    "generate": "Generate telemetry",
    "ingest": "Ingest telemetry",
    "features": "Build feature vectors",
    "select": "Select the best model",
    "deploy": "Prove and deploy the model",
    "score": "Score with the champion",
}
_CONDITIONS = {"promoted": _TITLES["deploy"]}
_TRAIN = "train-"

#: State of a step, in MLRun's, Kubeflow's or Argo's word → the word for people.
_STATES = {
    "created": "waiting",
    "pending": "waiting",
    "running": "running",
    "succeeded": "done",
    "completed": "done",
    "failed": "failed",
    "error": "failed",
    "skipped": "not needed",
    "omitted": "not reached",
    "aborting": "being stopped",
    "aborted": "stopped",
    "canceled": "stopped",
}


def training_step(family: str) -> str:
    """Name the step that trains a family; Kubernetes allows no underscore in a name."""
    return _TRAIN + family.replace("_", "-")


def family_of(step: str) -> str | None:
    """Return the family that a step trains; None for any other step."""
    return step.removeprefix(_TRAIN).replace("-", "_") if step.startswith(_TRAIN) else None


def title_of(step: str) -> str:
    """Return the title of a step, or of the condition that a step depends on, by its name."""
    if step.startswith(_TRAIN):
        return f"Train {family_of(step)}"
    if step.startswith("condition-"):
        name = step.removeprefix("condition-").rpartition("-")[0]
        return _CONDITIONS.get(name, step)
    return _TITLES.get(step, step)


def state_of(state: str) -> str:
    """Return the word for a state of a step."""
    return _STATES.get(state.lower(), state.lower())
