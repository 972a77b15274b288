"""The command as a user calls it: in this process where that is the same, in its own where it is not."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from netops.cli.main import run
from netops.workflows.records.runs import steps_of, workflows
from tests.small import SMALL


@dataclass(frozen=True)
class Answer:
    """What a call of the command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[Any]:
        """What it printed, a JSON object a line."""
        return [json.loads(line) for line in self.out.splitlines()]


Call = Callable[..., Answer]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder of the module's own."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETOPS_HOME", str(folder))
        patch.delenv("MLRUN_DBPATH", raising=False)
        yield folder


@pytest.fixture
def netops(home: Path, capfd: pytest.CaptureFixture[str]) -> Call:
    """Call the command in this process."""

    def call(*arguments: object) -> Answer:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        return Answer(code, *capfd.readouterr())

    return call


def fail(run_id: str, step: str) -> None:
    """Mark a run and one of its steps as failed, so that it can be resumed from there."""
    import mlrun

    database = mlrun.get_run_db()
    for record in (*workflows(uid=run_id), *steps_of(run_id, step)):
        record["status"]["state"] = "error"
        database.store_run(record, record["metadata"]["uid"], record["metadata"]["project"])


def small(*more: str) -> list[str]:
    """Give the options of a small run."""
    return [part for key in (*SMALL, *more) for part in ("--set", key)]
