"""Runs of the cluster followed to their end."""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

from netops.cluster.failures import FAILED, causes_of, latest, waiting_steps, was_canceled
from netops.errors import NetopsError
from netops.progress import say
from netops.tracking import service
from netops.tracking.records import Pipeline, PipelineNode, RunRecord
from netops.workflows.records.runs import PROJECT, moment_of, steps_of
from netops.workflows.records.steps import state_of, title_of

#: Seconds between two polls of a run, and how many in a row may fail.
PERIOD, PATIENCE = 3.0, 10
#: After this many polls, the pods of the steps that have not started are checked as well.
_POD_LOOKS = 5
_GOOD = ("succeeded", "skipped")
ENDED = (*_GOOD, "failed", "error", "canceled")
#: Kinds of Argo's nodes that represent a step; the others only contain nodes.
_STEPS = ("Pod", "Retry", "Skipped")
_ATTEMPT = re.compile(r"(?P<step>.+)\((?P<number>\d+)\)")


def watch(run_id: str, wait: Callable[[float], None] = time.sleep) -> str:
    """Follow a run to its end and report the progress of its steps.

    Parameters
    ----------
    run_id : str
        A run of a workflow, on the cluster or here.
    wait : callable
        Sleeps for the given number of seconds.

    Returns
    -------
    str
        ``succeeded``.

    Raises
    ------
    NetopsError
        If the run ends in any other way; it names the steps that failed, and why.
    """
    printed: dict[str, str] = {}
    waiting: dict[str, str] = {}
    for looks in count(1):
        pipeline = look(run_id, wait)
        if looks % _POD_LOOKS == 0:
            waiting = waiting_steps(run_id)
        for step, text in (steps_in(pipeline.get("graph") or {}) | waiting).items():
            if printed.get(step) != text:
                printed[step] = text
                say(f"{title_of(step)}: {text}")
        status = status_of(pipeline)
        if status in ENDED:
            break
        wait(PERIOD)
    if status not in _GOOD:
        raise NetopsError(_ended(run_id, status, pipeline))
    return status


def look(run_id: str, wait: Callable[[float], None] = time.sleep) -> Pipeline:
    """Poll a run; retry while the service is briefly unavailable."""
    import mlrun

    for failures in range(PATIENCE):
        try:
            pipeline: Pipeline = mlrun.get_run_db().get_pipeline(run_id, project=PROJECT)
            return pipeline
        except mlrun.errors.MLRunNotFoundError as error:
            raise service.explain(error) from error
        except (mlrun.errors.MLRunBaseError, OSError) as error:
            if failures == PATIENCE - 1:
                raise service.explain(error) from error
            wait(PERIOD)
    raise AssertionError("unreachable")


def status_of(pipeline: Pipeline) -> str:
    """Return the status of a run in lower case; empty if Kubeflow has none yet."""
    return str(pipeline["run"].get("status") or "").lower()


@dataclass
class _Step:
    """Argo's nodes of one step: with retries one for the step, and one for each attempt."""

    node: PipelineNode | None = None
    attempts: dict[int, PipelineNode] = field(default_factory=dict)

    def text(self) -> str:
        last = self.attempts[max(self.attempts)] if self.attempts else None
        node = self.node or last or {}
        phase = str(node.get("phase") or "").lower()
        if not phase:
            return ""
        if phase == "running" and last and str(last.get("phase")).lower() in ("failed", "error"):
            return f"attempt {len(self.attempts)} failed, another follows"
        if phase == "running" and last and str(last.get("phase")).lower() == "pending":
            phase = "pending"
        number = f" (attempt {len(self.attempts)})" if len(self.attempts) > 1 else ""
        return state_of(phase) + _took(node, phase) + number


def steps_in(graph: Mapping[str, PipelineNode]) -> dict[str, str]:
    """Return the state of each step of a graph, with its attempts combined."""
    return {name: text for name, step in _steps_of(graph).items() if (text := step.text())}


def _steps_of(graph: Mapping[str, PipelineNode]) -> dict[str, _Step]:
    steps: defaultdict[str, _Step] = defaultdict(_Step)
    for node in graph.values():
        name = str(node.get("name") or "")
        if node.get("type", "Pod") not in _STEPS:
            continue
        if attempt := _ATTEMPT.fullmatch(name):
            steps[attempt["step"]].attempts[int(attempt["number"])] = node
        else:
            steps[name].node = node
    return steps


def failed_launchers(graph: Mapping[str, PipelineNode], steps: list[RunRecord]) -> list[str]:
    """Return one line for each step whose stage has no failure on record: Kubeflow's own pod of it failed.

    Parameters
    ----------
    graph : dict
        Argo's nodes of a run.
    steps : list of dict
        Runs of its steps, as MLRun records them.
    """
    import mlrun

    recorded = {step["metadata"]["name"] for step in latest(steps) if step["status"].get("state") in FAILED}
    lines = []
    for name, step in _steps_of(graph).items():
        pod = step.attempts[max(step.attempts)] if step.attempts else step.node or {}
        if name in recorded or str(pod.get("phase")).lower() not in ("failed", "error"):
            continue
        times = f" ({len(step.attempts)} attempts)" if len(step.attempts) > 1 else ""
        log = f"kubectl -n {mlrun.mlconf.namespace or 'mlrun'} logs {pod.get('id')} -c main"
        lines.append(f"{name}: Kubeflow's own pod of the step failed{times}; its log: {log}")
    return lines


def _took(node: PipelineNode, phase: str) -> str:
    started = node.get("started_at") or node.get("startedAt")
    ended = node.get("finished_at") or node.get("finishedAt")
    if state_of(phase) != "done" or not started or not ended:
        return ""

    return f" in {(moment_of(ended) - moment_of(started)).total_seconds():.0f} s"


def _ended(run_id: str, status: str, pipeline: Pipeline) -> str:
    """Return one line on how an unsuccessful run ended."""
    steps = steps_of(run_id)
    if status == "canceled" or was_canceled(steps):
        return f"run {run_id} was canceled"
    causes = [*causes_of(steps), *failed_launchers(pipeline.get("graph") or {}, steps)]
    reason = pipeline["run"].get("error") or pipeline["run"].get("message")
    return f"run {run_id} failed: {'; '.join(causes) or reason or 'no step reports a reason'}"
