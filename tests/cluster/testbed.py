"""The cluster that the tests are given, and how they use it: as a user does, by `netops` and `kubectl`."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from tests.small import SMALL

Document = dict[str, Any]
#: Part of the name of whatever these tests make: another session may use the same cluster.
SESSION = secrets.token_hex(3)
T = TypeVar("T")

ROOT = Path(__file__).parents[2]
#: What the project consists of: the tests run a copy of it, with a cluster.yaml of their own.
PARTS = ("project.yaml", "project_setup.py", "components", "pipeline", "configurations", "netops")
#: Options of a run in about a minute.
RUN = (*SMALL, "promotion.first=any")
#: What a stage of the tests asks for: three fit on two cores.
STAGE = {"cpu": "200m", "memory": "1536Mi", "timeout": "20m", "retries": 1}
ENDED = ("completed", "error", "aborted", "canceled")
#: Seconds that a run of the small network may take on a machine that does other things as well.
PATIENCE = 1800.0


@dataclass(frozen=True)
class Testbed:
    """Addresses and names of one cluster, from the variables ``NETOPS_TEST_…``.

    Attributes
    ----------
    context : str
        Of the kubeconfig.
    namespace : str
        Of MLRun.
    image, serve_image : str
        As the nodes know them.
    service, service_inside : str
        MLRun's address from here and from a pod.
    artifacts : str
        Where artifacts go.
    store, store_inside : str
        Endpoint of the object store from here and from a pod; empty where there is none.
    project : Path
        The copy of the project.
    """

    __test__ = False  # pytest would collect it

    context: str
    namespace: str
    image: str
    serve_image: str
    service: str
    service_inside: str
    artifacts: str
    store: str
    store_inside: str
    project: Path

    def kubectl(self, *words: str, stdin: str = "", namespace: str | None = None, check: bool = True) -> str:
        """Call kubectl in this context."""
        command = ["kubectl", "--context", self.context, "--namespace", namespace or self.namespace, *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=180)
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def objects(self, *words: str, namespace: str | None = None) -> list[Document]:
        """List objects."""
        items: list[Document] = json.loads(self.kubectl("get", *words, "-o", "json", namespace=namespace))["items"]
        return items

    def start(self, *words: str, service: str | None = None) -> "subprocess.Popen[str]":
        """Call `netops` as a process of its own, in the copy of the project."""
        environment = {
            **os.environ,
            "MLRUN_DBPATH": self.service if service is None else service,
            "PYTHONPATH": str(self.project),
            "NETOPS_HOME": str(self.project / "home"),
        }
        if self.store:
            environment["AWS_ENDPOINT_URL_S3"] = self.store
        return subprocess.Popen(
            [sys.executable, "-m", "netops.cli.main", *words],
            cwd=self.project, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def netops(self, *words: str, seconds: float = PATIENCE, code: int = 0) -> str:
        """Call `netops` and give what it printed."""
        process = self.start(*words)
        try:
            out, err = process.communicate(timeout=seconds)
        finally:
            process.kill()
        assert process.returncode == code, f"netops {' '.join(words)}: {process.returncode}\n{out}\n{err}"
        return out

    def expected(self, *words: str) -> Any:
        """Call `netops` and read the JSON that it printed."""
        return json.loads(self.netops(*words, "--json"))

    def rows(self, *words: str) -> list[Document]:
        """Call `netops` and read a JSON object a line."""
        return [json.loads(line) for line in self.netops(*words, "--json").splitlines()]

    def submit(self, network: str, *options: str, workflow: str = "main") -> str:
        """Submit a workflow of the small network and give the id of its run."""
        expected = self.expected("submit", "--workflow", workflow, "--name", network, *small(), *options)
        return str(expected["run_id"])

    def state(self, run: str) -> str:
        """Say how a run stands, as `netops runs list` has it; empty while the service does not answer."""
        process = self.start("runs", "list", "--limit", "200", "--json")
        out, err = process.communicate(timeout=PATIENCE)
        if process.returncode and "is not reachable" in err:
            return ""
        assert process.returncode == 0, err
        return next(row["state"] for row in map(json.loads, out.splitlines()) if row["run_id"] == run)

    def ended(self, run: str) -> str:
        """Wait for a run to end and give its state."""
        return until(
            lambda: (state := self.state(run)) in ENDED and state, PATIENCE, f"run {run} has not ended", 10
        )

    def steps(self, run: str) -> dict[str, Document]:
        """Give MLRun's records of the steps of a run, by their names; of a step tried again the newest."""
        answer = httpx.get(
            f"{self.service}/api/v1/projects/netops/runs", params={"label": f"workflow={run}"}, timeout=60
        )
        records = answer.raise_for_status().json()["runs"]
        records.sort(key=lambda record: str(record["status"].get("start_time")))
        return {record["metadata"]["name"]: record for record in records}

    def artifacts_of(self, run: str) -> dict[tuple[str, str], str]:
        """Give the addresses of what the steps of a run have left, by step and key."""
        answer = httpx.get(
            f"{self.service}/api/v2/projects/netops/artifacts", params={"tree": run, "tag": "*"}, timeout=60
        )
        artifacts = answer.raise_for_status().json()["artifacts"]
        assert {artifact["metadata"]["tree"] for artifact in artifacts} <= {run}
        found = {}
        for artifact in artifacts:
            name = (artifact["spec"].get("producer") or {}).get("name")
            found[name, artifact["metadata"]["key"]] = artifact["spec"]["target_path"]
        return found

    def pods(self, run: str) -> dict[str, list[Document]]:
        """Give the pods of the stages of a run, by step."""
        uids = {record["metadata"]["uid"]: name for name, record in self.steps(run).items()}
        found: dict[str, list[Document]] = {}
        for pod in self.objects("pods", "-l", "mlrun/class=job"):
            if name := uids.get(pod["metadata"]["labels"].get("mlrun/uid", "")):
                found.setdefault(name, []).append(pod)
        return found


def ours(name: str) -> str:
    """Give something of this session a name that no other one has."""
    return f"{name}-{SESSION}"


def small(*more: str) -> list[str]:
    """Give the options of the small network."""
    return [word for key in (*RUN, *more) for word in ("--set", key)]


def until(ask: Callable[[], T | bool | str | None], seconds: float, otherwise: str, pause: float = 2.0) -> Any:
    """Ask again and again until something comes of it."""
    end = time.monotonic() + seconds
    while True:
        if answer := ask():
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{otherwise} within {seconds:.0f} s")
        time.sleep(pause)


def copy_project(folder: Path, **cluster: Any) -> Path:
    """Copy the project, with a cluster.yaml that differs in some keys."""
    project = folder / "project"
    project.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, project / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, project / part)
    path = project / "configurations" / "cluster.yaml"
    values = yaml.safe_load(path.read_text())
    values["stages"] = {name: {**stage, **STAGE} for name, stage in values["stages"].items()}
    path.write_text(yaml.safe_dump({**values, **cluster}, sort_keys=False))
    return project
