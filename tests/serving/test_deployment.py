"""Models go into service only when they answer as they were tested."""

from types import SimpleNamespace

import numpy as np
import pytest

from netops.config.durations import SECOND
from netops.errors import NetopsError, UsageError
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


def triggers(function) -> set[str]:
    return {value["kind"] for key, value in function.spec.config.items() if key.startswith("spec.triggers.")}


def test_a_v3io_stream_becomes_a_trigger() -> None:
    assert triggers(nuclio(stream="v3io:///projects/telemetry").function("")) == {"http", "v3ioStream"}


def test_a_topic_is_read_by_the_worker_of_each_replica() -> None:
    serving = {"stream": {"session": "6s"}, "limits": {"batch": 5}}
    platform = nuclio(stream="kafka://b/t?group=g", min_replicas=2, max_replicas=4, parameters={"serving": serving})
    function = platform.function("")
    assert triggers(function) == {"http"}
    assert (function.spec.min_replicas, function.spec.max_replicas) == (2, 4)
    stream = {"session": "6s", "url": "kafka://b/t?group=g"}
    assert function.spec.parameters["serving"] == {"stream": stream, "limits": {"batch": 5}}


def test_a_function_with_a_v3io_stream_reads_no_topic() -> None:
    serving = {"stream": {"url": "kafka://b/t"}}
    function = nuclio(stream="v3io:///projects/telemetry", parameters={"serving": serving}).function("")
    assert function.spec.parameters["serving"]["stream"] == {"url": ""}


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


def test_the_topic_of_the_server_is_that_of_the_function_unless_the_cluster_names_another() -> None:
    from netops.cluster.deployment_target import nuclio_options
    from netops.cluster.settings import ClusterSettings, ServingDeployment

    configured = {"serving": {"stream": {"url": "kafka://b/t"}}}
    own = ClusterSettings(serving=ServingDeployment(state_claim="c", stream="kafka://b/other"))
    assert nuclio_options(own, configured).stream == "kafka://b/other"
    assert nuclio_options(ClusterSettings(serving=ServingDeployment(state_claim="c")), configured).stream == (
        "kafka://b/t"
    )
    with pytest.raises(UsageError, match="state_claim"):
        nuclio_options(ClusterSettings(), configured)


@pytest.mark.parametrize(
    ("serving", "secrets", "message"),
    [
        ({"stream": "mqtt://x"}, (), "serving: stream: 'mqtt://x'"),
        ({"stream": "kafka://b"}, (), "expected a topic name"),
        ({"stream": "kafka://b/t"}, (), "serving: state_claim: .*ReadWriteMany"),
        ({"stream": "kafka://b/t", "state_claim": "c", "canary": 10}, (), "serving: canary: "),
        (
            {"stream": "kafka://b/t?sasl.username=u", "state_claim": "c"},
            ("netops:NETOPS_TOKEN",),
            "add '<secret>:NETOPS_KAFKA_PASSWORD'",
        ),
    ],
)
def test_a_stream_that_the_function_cannot_read_is_refused_with_the_settings(serving, secrets, message) -> None:
    from netops.cluster.settings import read_cluster_settings

    with pytest.raises(UsageError, match=message):
        read_cluster_settings({"cluster": {"serving": serving, "secrets": list(secrets)}})


def test_a_stream_with_a_password_takes_it_from_a_secret() -> None:
    from netops.cluster.deployment_target import nuclio_options
    from netops.cluster.settings import read_cluster_settings

    serving = {"stream": "kafka://b/t?sasl.username=u", "state_claim": "c"}
    secrets = ["kafka:NETOPS_KAFKA_PASSWORD"]
    options = nuclio_options(read_cluster_settings({"cluster": {"serving": serving, "secrets": secrets}}), {})
    assert [one["name"] for one in options.environment] == ["NETOPS_KAFKA_PASSWORD"]
