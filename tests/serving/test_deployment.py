"""Models go into service only when they answer as they were tested."""

from types import SimpleNamespace

import numpy as np
import pytest

from netops.config.durations import SECOND
from netops.errors import NetopsError
from netops.models.onnx_file import Scorer
from netops.serving.mlrun.deployment import Nuclio, NuclioOptions, compare, roll_out
from netops.serving.mlrun.function import make_serving_function
from netops.serving.mlrun.graph import pipeline_of
from netops.serving.requests.endpoints.model import INFER
from tests.serving.conftest import abandon


@pytest.fixture
def rows(model):
    values = np.random.default_rng(3).normal(size=(32, len(Scorer(model).card.features)))
    values[::5, 1] = np.nan
    return values


class Recorded:
    """A platform inside this process, with a note of what was asked of it; it can be slow, or answer wrongly."""

    def __init__(self, silent: int = 0, off: float = 0.0) -> None:
        self.calls, self.silent, self.off, self._server = [], silent, off, None

    def start(self, model):
        self.calls.append(("start", model))
        self._server = make_serving_function("", "core-serving", model).to_mock_server()

        def answer(rows):
            if self.silent:
                self.silent -= 1
                raise ConnectionError("connection refused")
            return [risk + self.off for risk in self._server.test(INFER.path, body={"inputs": rows})["outputs"]]

        return answer

    def shift_traffic(self):
        self._end()
        return INFER.path

    def roll_back(self, previous):
        if previous:
            self.calls.append(("take back", previous))
        self._end()

    def _end(self):
        self._server.wait_for_completion()
        abandon(pipeline_of(self._server.context).runtime)


def test_a_model_that_reproduces_its_tested_risks_is_put_in_service(model, rows) -> None:
    platform = Recorded()
    difference, address = roll_out(platform, str(model), None, rows, Scorer(model).score(rows))
    assert difference < 1e-6
    assert address == INFER.path


def test_it_is_asked_until_it_answers(model, rows) -> None:
    waits = []
    roll_out(Recorded(silent=3), str(model), None, rows, Scorer(model).score(rows), wait=waits.append)
    assert len(waits) == 3


def test_a_model_that_never_answers_is_rolled_back(model, rows) -> None:
    platform, waits = Recorded(silent=99), []
    with pytest.raises(NetopsError, match="does not answer: connection refused"):
        roll_out(
            platform, str(model), "before", rows, Scorer(model).score(rows), timeout=5 * SECOND, wait=waits.append
        )
    assert len(waits) == 5
    assert platform.calls == [("start", str(model)), ("take back", "before")]


def test_a_model_with_different_answers_is_rolled_back(model, rows) -> None:
    platform = Recorded(off=1e-3)
    with pytest.raises(NetopsError, match=r"differs from the tested one by 0\.001"):
        roll_out(platform, str(model), "before", rows, Scorer(model).score(rows))
    assert platform.calls[-1] == ("take back", "before")


@pytest.mark.parametrize("answers", [[], [0.5], [0.5, float("nan")]])
def test_too_few_answers_and_unknown_ones_count_as_wrong(answers) -> None:
    with pytest.raises(NetopsError, match="not deployed"):
        compare(answers, np.array([0.5, 0.5]))


def nuclio(replaces=False, **options):
    return Nuclio(SimpleNamespace(name="netops"), "core", NuclioOptions("registry/netops:1", **options), replaces)


def test_the_function_is_our_image_with_nothing_fetched(model) -> None:
    variable = {"name": "NETOPS_TOKEN", "valueFrom": {"secretKeyRef": {"name": "netops", "key": "NETOPS_TOKEN"}}}
    function = nuclio(max_replicas=3, environment=(variable,)).function("store://models/netops/core-model")
    assert function.spec.image == "registry/netops:1"
    assert not function.spec.build.requirements
    assert function.spec.max_replicas == 3
    assert variable in function.spec.env
    assert function.spec.parameters["model_path"] == "store://models/netops/core-model"
    assert "spec.triggers.http" in function.spec.config


def test_packages_that_the_image_lacks_are_built_in() -> None:
    assert nuclio(requirements=("lightgbm",)).function("").spec.build.requirements == ["lightgbm"]


@pytest.mark.parametrize(
    ("stream", "trigger"),
    [("kafka://broker:9092/telemetry", "kafka-cluster"), ("v3io:///projects/telemetry", "v3ioStream")],
)
def test_a_stream_becomes_a_trigger(stream, trigger) -> None:
    config = nuclio(stream=stream).function("").spec.config
    assert trigger in {value["kind"] for key, value in config.items() if key.startswith("spec.triggers.")}


def test_another_stream_is_refused() -> None:
    with pytest.raises(NetopsError, match="stream: 'mqtt://x'"):
        nuclio(stream="mqtt://x").function("")


@pytest.mark.parametrize(
    ("replaces", "canary", "name"),
    [(False, 20, "core-serving"), (True, 100, "core-serving"), (True, 20, "core-serving-canary")],
)
def test_only_a_second_model_is_a_canary(replaces, canary, name) -> None:
    assert nuclio(replaces, canary=canary).name == name


def test_the_gateway_of_a_canary_has_the_shares_of_the_configuration() -> None:
    stored = []

    class Project:
        """Takes the gateway as MLRun's project does, and sends it nowhere."""

        name = "netops"

        def store_api_gateway(self, gateway):
            stored.append(gateway.to_scheme())
            return SimpleNamespace(invoke_url="https://core.example")

    platform = Nuclio(Project(), "core", NuclioOptions("registry/netops:1", canary=20), replaces=True)
    assert platform.shift_traffic() == "https://core.example"
    [gateway] = stored
    shares = [(upstream.nucliofunction["name"], upstream.percentage) for upstream in gateway.spec.upstreams]
    # Nuclio takes the share of one function; the other, here the new one, has the rest.
    assert shares == [("netops/core-serving", 80), ("netops/core-serving-canary", 0)]


def test_the_function_serves_and_alerts_by_the_configuration_of_the_run() -> None:
    from netops.cluster.deployment_target import nuclio_options
    from netops.cluster.settings import ClusterSettings

    settings = {"alerting": {"for": 3}, "serving": {"limits": {"batch": 5}}, "fleet": {"devices": 2}}
    options = nuclio_options(ClusterSettings(), settings)
    assert options.parameters == {"alerting": {"for": 3}, "serving": {"limits": {"batch": 5}}}
    parameters = Nuclio(SimpleNamespace(name="netops"), "core", options).function("m").spec.parameters
    assert parameters["alerting"] == {"for": 3}
