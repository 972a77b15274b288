"""Deploy a model: start it, verify its answers on rows with known risks, and roll back on a difference."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

import mlrun
import numpy as np
import numpy.typing as npt
from mlrun.projects import MlrunProject
from mlrun.runtimes import ServingRuntime
from mlrun.runtimes.nuclio.api_gateway import APIGateway, APIGatewayMetadata, APIGatewaySpec

from netops.config.durations import MINUTE, SECOND
from netops.errors import NetopsError
from netops.registry import ProofError
from netops.serving.mlrun.function import make_serving_function
from netops.serving.mlrun.triggers import add_http, add_state_volume, add_v3io_stream
from netops.serving.requests.access import TOKEN, read_token
from netops.serving.requests.endpoints.model import INFER, MODEL_PATH
from netops.telemetry.kafka.address import SCHEME, parse_stream
from netops.telemetry.kafka.client import check_client

if TYPE_CHECKING:
    from kubernetes.client import V1EnvVar

Floats = npt.NDArray[np.float64]
#: A variable of a function, as a dictionary or as Kubernetes' own class.
Variable: TypeAlias = "dict[str, object] | V1EnvVar"
#: Sends feature vectors (null: unknown) and returns the risks.
Ask = Callable[[list[list[float | None]]], list[float]]

#: Maximum difference from the offline risk.
TOLERANCE = 1e-6
#: Label of a function with a hash of its configuration.
_FINGERPRINT = "netops/fingerprint"
#: Lines and characters of a failed deployment's log that are included in the error.
_LOG_LINES, _LOG_LENGTH = 8, 1500


class Platform(Protocol):
    """A platform on which a model can be deployed."""

    def start(self, model: str) -> Ask:
        """Start a model, replacing the running one; return the function that queries it.

        Parameters
        ----------
        model : str
            Model folder or ``store://`` address.
        """

    def shift_traffic(self) -> str:
        """Shift the traffic to the started model; return the address."""

    def roll_back(self, previous: str | None) -> None:
        """Restore the previous model; without one, remove the started one."""


def roll_out(
    platform: Platform,
    model: str,
    previous: str | None,
    rows: Floats,
    risks: Floats,
    *,
    timeout: int = MINUTE,
    wait: Callable[[float], None] = time.sleep,
) -> tuple[float, str]:
    """Deploy a model and verify that it reproduces its test risks; otherwise roll back.

    Parameters
    ----------
    platform : Platform
        The platform.
    model, previous : str
        The model and the one it replaces, if any: folder or ``store://`` address.
    rows : float64 array, rows × features
        Feature vectors to verify.
    risks : float64 array
        Expected risks.
    timeout : int
        Nanoseconds to wait for the first answer.
    wait : callable
        Sleeps for a number of seconds.

    Returns
    -------
    tuple of float and str
        The maximum difference, and the address.

    Raises
    ------
    NetopsError
        If it does not start or answer, or its answers differ; the previous model is restored.
    """
    try:
        return prove(platform.start(model), rows, risks, timeout=timeout, wait=wait), platform.shift_traffic()
    except Exception as error:
        platform.roll_back(previous)
        if isinstance(error, NetopsError):
            raise
        # The cause is in the message; chaining would report it twice.
        raise NetopsError(f"the model cannot be deployed: {_one_line(error)}") from None


def prove(
    ask: Ask,
    rows: Floats,
    risks: Floats,
    *,
    timeout: int = MINUTE,
    wait: Callable[[float], None] = time.sleep,
) -> float:
    """Verify that a started model reproduces its test risks.

    Parameters
    ----------
    ask : callable
        The function that ``Platform.start`` returned.
    rows, risks, timeout, wait
        See :func:`roll_out`.

    Returns
    -------
    float
        The maximum difference.

    Raises
    ------
    NetopsError
        If it does not answer in time, or its answers differ.
    """
    return compare(_first_answers(ask, _plain(rows), timeout, wait), risks)


def compare(answers: list[float], risks: Floats) -> float:
    """Compare answers with the test risks.

    Raises
    ------
    ProofError
        If they differ in number, or by more than 1e-6.
    """
    served = np.array(answers, dtype=np.float64)
    if served.shape != risks.shape:
        raise ProofError(f"{len(risks)} rows were sent, {served.size} answers came back; it is not deployed")
    difference = float(np.abs(served - risks).max(initial=0.0))
    if not difference <= TOLERANCE:
        raise ProofError(f"the served model differs from the tested one by {difference:.3g}; it is not deployed")
    return difference


def _first_answers(
    ask: Ask, rows: list[list[float | None]], timeout: int, wait: Callable[[float], None]
) -> list[float]:
    """Query until there is an answer."""
    pauses = max(timeout // SECOND, 1)
    while True:
        try:
            return ask(rows)
        except Exception as error:  # noqa: BLE001
            if pauses <= 0:
                raise NetopsError(f"it does not answer: {_one_line(error)}") from None
            pauses -= 1
            wait(1.0)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _plain(rows: Floats) -> list[list[float | None]]:
    return [[None if value != value else value for value in row] for row in rows.tolist()]


@dataclass(frozen=True)
class NuclioOptions:
    """Options of the function on Nuclio.

    Attributes
    ----------
    image : str
        The project's image.
    min_replicas, max_replicas : int
        Number of replicas; each handles some of the devices.
    stream : str
        ``kafka://broker,broker/topic``, whose partitions the replicas read, or ``v3io:///container/path``, a
        trigger of Nuclio; HTTP alone if empty.
    state_claim : str
        Volume claim for the state, which all replicas share; none if empty.
    timeout : int
        Nanoseconds to wait for the deployment.
    canary : int
        Percentage of the traffic for the new model.
    environment : tuple of dict
        Environment variables in Kubernetes format.
    requirements : tuple of str
        Additional packages, which Nuclio installs in the image.
    parameters : dict
        Sections ``serving`` and ``alerting`` of the configuration.
    """

    image: str
    min_replicas: int = 1
    max_replicas: int = 1
    stream: str = ""
    state_claim: str = ""
    timeout: int = 5 * MINUTE
    canary: int = 100
    environment: tuple[dict[str, object], ...] = ()
    requirements: tuple[str, ...] = ()
    parameters: dict[str, object] = field(default_factory=dict)


@dataclass
class Nuclio:
    """The real-time function of a network on Nuclio.

    The function polls the network's champion. A version is verified on it before it becomes the champion. The
    function is deployed again only if something other than the model has changed. A canary is a second function
    with a fixed model behind the same API gateway.
    """

    project: MlrunProject
    network: str
    options: NuclioOptions
    replaces: bool = False
    _function: ServingRuntime | None = None

    @property
    def is_canary(self) -> bool:
        """Whether the model gets only part of the traffic; this requires a previous model."""
        return self.replaces and self.options.canary < 100

    @property
    def name(self) -> str:
        """Name of the function."""
        return f"{self.network}-serving" + ("-canary" if self.is_canary else "")

    def start(self, model: str) -> Ask:
        """Deploy the function, unless it already runs with this configuration, and wait until it is ready."""
        made = self.function(model)
        self._require_token(made)
        self._require_client()
        self._function = function = self._running(made) or self._deploy(made)
        path = INFER.path if self.is_canary else f"{MODEL_PATH}/versions/{_version(model)}/infer"
        return lambda rows: list(function.invoke(path, body={"inputs": rows}, headers=_authorization())["outputs"])

    def function(self, model: str) -> ServingRuntime:
        """Create the function to deploy."""
        options = self.options
        parameters = options.parameters | {"follow": not self.is_canary}
        topic = options.stream if _is_topic(options.stream) else ""
        parameters |= {"serving": _reading(topic, options.parameters.get("serving"))}
        made = make_serving_function(self.project.name, self.name, model, options.image, self.network, parameters)
        made.spec.min_replicas, made.spec.max_replicas = options.min_replicas, options.max_replicas
        made.spec.env = [*made.spec.env, *options.environment]
        if options.requirements:
            made.with_requirements(list(options.requirements))
        _add_triggers(made, options)
        if options.state_claim:
            add_state_volume(made, options.state_claim)
        made.metadata.labels[_FINGERPRINT] = _fingerprint(made)
        return made

    def shift_traffic(self) -> str:
        """Shift the configured fraction of traffic to a canary; return the address."""
        if self.is_canary:
            return str(self._split())
        assert self._function is not None, "start comes first"
        return str(self._function.get_url())

    def roll_back(self, previous: str | None) -> None:
        """Delete the function of a new model; a function that follows the champion is not deleted."""
        if previous is None or self.is_canary:
            mlrun.get_run_db().delete_function(self.name, self.project.name)

    def _require_token(self, made: ServingRuntime) -> None:
        if TOKEN not in {_name(variable) for variable in made.spec.env}:
            raise NetopsError(
                f"cluster.yaml: secrets: the function needs {TOKEN} to accept HTTP requests; add '<secret>:{TOKEN}'"
            )

    def _require_client(self) -> None:
        """Refuse a topic before anything is deployed, if this is a pod: stage and function have one image."""
        if _is_topic(self.options.stream) and "KUBERNETES_SERVICE_HOST" in os.environ:
            check_client(parse_stream(self.options.stream))

    def _running(self, made: ServingRuntime) -> ServingRuntime:
        """Return the deployed function if it is ready and differs only in the model."""
        try:
            found = mlrun.get_run_db().get_function(self.name, self.project.name)
            deployed = mlrun.new_function(runtime=found)
            labels, state = deployed.metadata.labels or {}, deployed.status.state
        except Exception:  # noqa: BLE001
            return None
        same = labels.get(_FINGERPRINT) == made.metadata.labels[_FINGERPRINT]
        return deployed if same and state == "ready" and not self.is_canary else None

    def _deploy(self, made: ServingRuntime) -> ServingRuntime:
        try:
            made.deploy(project=self.project.name, wait=True, timeout=self.options.timeout // SECOND)
        except Exception as error:  # noqa: BLE001
            raise NetopsError(
                f"function {self.name} cannot be deployed: {_one_line(error)}{_log_of(made)}"
            ) from None
        return made

    def _split(self) -> str:
        share = self.options.canary
        functions = [f"{self.network}-serving", self.name]
        spec = APIGatewaySpec(project=self.project.name, functions=functions, canary=[100 - share, share])
        gateway = APIGateway(APIGatewayMetadata(name=f"{self.network}-serving"), spec)
        return self.project.store_api_gateway(gateway).invoke_url


def _version(model: str) -> str:
    return str(mlrun.datastore.get_store_resource(model).metadata.labels["version"])


def _fingerprint(function: ServingRuntime) -> str:
    """Return a hash of a function's configuration, excluding its initial model."""
    spec = function.to_dict()["spec"]
    parameters = {key: value for key, value in spec["parameters"].items() if key != "model_path"}
    return hashlib.blake2b(
        json.dumps(spec | {"parameters": parameters}, sort_keys=True, default=str).encode(), digest_size=8
    ).hexdigest()


def _log_of(function: ServingRuntime) -> str:
    """Return the end of Nuclio's log of a deployment, including the function's own log."""
    try:
        text, _ = mlrun.get_run_db().get_nuclio_deploy_status(function, last_log_timestamp=0, verbose=False)
    except Exception:  # noqa: BLE001
        return ""
    lines = [" ".join(line.split()) for line in str(text or "").splitlines() if line.strip()]
    return f"; its log ends: {' | '.join(lines[-_LOG_LINES:])[-_LOG_LENGTH:]}" if lines else ""


def _name(variable: Variable) -> str:
    return str(variable["name"] if isinstance(variable, dict) else variable.name)


def _add_triggers(function: ServingRuntime, options: NuclioOptions) -> None:
    add_http(function)
    if options.stream and not _is_topic(options.stream):
        add_v3io_stream(function, options.stream, replicas=options.max_replicas)


def _is_topic(stream: str) -> bool:
    return stream.startswith(f"{SCHEME}://")


def _reading(topic: str, serving: object) -> dict[str, object]:
    """Return the section ``serving`` with the topic that the worker reads; none if it is empty."""
    section: dict[str, object] = dict(serving) if isinstance(serving, Mapping) else {}
    stream = section.get("stream")
    return section | {"stream": {**(stream if isinstance(stream, Mapping) else {}), "url": topic}}


def _authorization() -> dict[str, str]:
    token = read_token()
    return {"Authorization": f"Bearer {token}"} if token else {}
