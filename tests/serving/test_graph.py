"""The graph as MLRun's mock server runs it."""

import numpy as np
import pytest

from netops.models.onnx_file import Scorer
from tests.serving.conftest import mock_server
from tests.serving.models import SPEC
from tests.serving.samples import START, sample

pytest.importorskip("mlrun")


@pytest.fixture(scope="module")
def function(model, tmp_path_factory):
    from netops.serving.mlrun.function import make_serving_function

    state = str(tmp_path_factory.mktemp("state"))
    return make_serving_function(model_path=model, parameters={"state_path": state})


@pytest.fixture(scope="module")
def mock(function):
    with mock_server(function) as server:
        yield server


def test_the_mock_server_answers_samples_in_their_form(mock):
    one = mock.test("/telemetry", body=sample("a", 0))
    assert (one["device"], one["status"], one["timestamp"]) == ("a", "scored", START)
    many = mock.test("/telemetry", body=[sample("a", 1), {"timestamp": "x"}])
    assert [answer["status"] for answer in many] == ["scored", "rejected"]


def test_the_mock_server_infers_as_the_model_does(mock, model):
    rows = np.random.default_rng(0).normal(size=(5, len(SPEC.names)))
    answer = mock.test("/v2/models/netops/infer", body={"inputs": rows.tolist()})
    np.testing.assert_allclose(answer["outputs"], Scorer(model).score(rows), atol=1e-6)
    assert answer["model_version"] == "v1"
    described = mock.test("/v2/models/netops", method="GET")
    assert described["features"] == list(SPEC.names)
    assert (described["version"], described["threshold"]) == ("v1", 0.5)


@pytest.mark.parametrize("inputs", [[[1.0]], "x", [["a"] * len(SPEC.names)], None, [[[1.0]]]])
def test_vectors_that_do_not_fit_are_refused(mock, inputs):
    answer = mock.test("/v2/models/netops/infer", body={"inputs": inputs}, silent=True)
    assert answer.status_code == 400


def test_queries_are_answered(mock):
    mock.test("/telemetry", body=sample("b", 5))
    assert mock.test("/healthz", method="GET")["model"] == "v1"
    assert "b" in [device["device"] for device in mock.test("/devices", method="GET")]
    assert mock.test("/alerts", method="GET") == []
    assert b"netops_samples_total" in mock.test("/metrics", method="GET").body
    assert mock.test("/other", method="GET", silent=True).status_code == 404
    assert mock.test("/alerts", method="DELETE", silent=True).status_code == 405


def test_a_version_is_asked_by_its_name(mock, model):
    rows = np.random.default_rng(0).normal(size=(5, len(SPEC.names)))
    answer = mock.test("/v2/models/netops/versions/v1/infer", body={"inputs": rows.tolist()})
    np.testing.assert_allclose(answer["outputs"], Scorer(model).score(rows), atol=1e-6)
    assert answer["model_version"] == "v1"
    unknown = mock.test("/v2/models/netops/versions/v9/infer", body={"inputs": rows.tolist()}, silent=True)
    assert (unknown.status_code, unknown.body) == (400, {"error": "version 'v9' not found"})


def test_feedback_is_accepted(mock):
    hot = [sample("hot", tick, hot=True) for tick in range(3)]
    assert mock.test("/telemetry", body=hot)[-1]["alert"]
    (alert,) = [found for found in mock.test("/alerts", method="GET") if found["device"] == "hot"]
    response = mock.test(f"/alerts/{alert['id']}/feedback", body={"verdict": "confirmed"})
    assert (response["alert"]["verdict"], response["changed"]) == ("confirmed", True)
    assert mock.test("/incidents", body={"device": "hot", "start": START + 60})["recorded"] == 1
    assert mock.test("/alerts/x/feedback", body={"verdict": "confirmed"}, silent=True).status_code == 404
    known = mock.test("/feedback", method="GET")
    assert [verdict["alert"] for verdict in known["verdicts"]] == [alert["id"]]
    assert [incident["source"] for incident in known["incidents"]] == ["webhook"]


def test_a_mock_server_without_a_state_path_leaves_the_state_of_a_running_server_alone(
    model, tmp_path, monkeypatch
):
    from netops.serving.mlrun.function import make_serving_function

    monkeypatch.setenv("NETOPS_HOME", str(tmp_path))
    with mock_server(make_serving_function(model_path=model)) as server:
        server.test("/telemetry", body=sample("a", 0))
    assert not (tmp_path / "serving").exists()
