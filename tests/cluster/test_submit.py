"""Workflows that the service is asked to start."""

from types import SimpleNamespace

import mlrun
import pytest

from netops.cluster.settings import with_cluster
from netops.cluster.submit import _by_service
from netops.errors import NetopsError
from netops.tracking.output import separate_runs

REASON = "Not Found, caused by: 404 Client Error"
REFUSAL = f"details: MLRunError('Failed to run workflow main, state: error, state_text: {REASON}')"


class Project:
    """A project whose service refuses to run a workflow, which MLRun logs with its stack."""

    spec = SimpleNamespace(_workflows={"main": SimpleNamespace(image="")})

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def run(self, *_arguments, **_options):
        mlrun.utils.logger.error("Workflow run failed: Traceback (most recent call last)")
        return SimpleNamespace(exc=RuntimeError(self.answer), run_id="")


@pytest.mark.parametrize(
    ("answer", "verbose"),
    [
        (REFUSAL, ""),
        (f"{REFUSAL}, caused by: 412 Client Error", ""),
        (REFUSAL.replace("'", '"') + ", caused by: 412 Client Error", "1"),
    ],
)
def test_a_refusal_of_the_service_is_one_line_without_mlruns_log(capsys, monkeypatch, answer, verbose) -> None:
    separate_runs()
    monkeypatch.setenv("NETOPS_VERBOSE", verbose)
    with pytest.raises(NetopsError) as refused:
        _by_service(Project(answer), "main", with_cluster({"name": "n", "settings": "{}"}))
    assert str(refused.value) == f"the service has not started workflow main: {REASON}"
    printed = capsys.readouterr()
    assert printed.out == ""
    assert ("Traceback" in printed.err) is bool(verbose)
