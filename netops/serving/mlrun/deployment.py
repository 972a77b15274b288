"""A model goes into service: started, asked rows whose risks are known, and taken back if it answers otherwise."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from netops.config.durations import MINUTE, SECOND
from netops.errors import NetopsError
from netops.registry import ProofError
from netops.serving.http.access import TOKEN, read_token
from netops.serving.mlrun.function import MODEL_NAME, make_serving_function
from netops.serving.mlrun.triggers import add_http, add_kafka, add_state_volume, add_v3io_stream

Floats = npt.NDArray[np.float64]
#: Sends feature vectors (null for what is unknown) and gives the risks.
Ask = Callable[[list[list[float | None]]], list[float]]

INFER = f"/v2/models/{MODEL_NAME}/infer"
#: How far an answer may be from the offline risk.
TOLERANCE = 1e-6
#: Label of a function, by which it is seen whether it would be deployed in the same way.
_FINGERPRINT = "netops/fingerprint"
#: Of the log of a deployment that fails, so much is in the error.
_LOG_LINES, _LOG_LENGTH = 8, 1500


class Platform(Protocol):
    """Where a model can be started."""

    def start(self, model: str) -> Ask:
        """Start a model, in the place of what runs there, and say how it is asked.

        Parameters
        ----------
        model : str
            Model folder or ``store://`` address.
        """

    def settle(self) -> str:
        """Let the model that was started have its traffic, and name the address."""

    def take_back(self, previous: str | None) -> None:
        """Let the previous model have its place again; without one, take away what was started."""


def roll_out(
    platform: Platform,
    model: str,
    previous: str | None,
    rows: Floats,
    risks: Floats,
    *,
    patience: int = MINUTE,
    wait: Callable[[float], None] = time.sleep,
) -> tuple[float, str]:
    """Put a model in service and prove that it answers as it was tested; else put the one before back.

    Parameters
    ----------
    platform : Platform
        Where.
    model, previous : str
        The model, and the one it replaces, if any: folder or ``store://`` address.
    rows : float64 array, rows × features
        What it is asked.
    risks : float64 array
        What it must answer.
    patience : int
        Nanoseconds that it may take until it answers.
    wait : callable
        Waits for so many seconds.

    Returns
    -------
    tuple of float and str
        The largest difference, and the address.

    Raises
    ------
    NetopsError
        If it does not start, does not answer, or answers otherwise; the previous model is in service again.
    """
    try:
        return prove(platform.start(model), rows, risks, patience=patience, wait=wait), platform.settle()
    except Exception as error:
        platform.take_back(previous)
        if isinstance(error, NetopsError):
            raise
        # Whoever reports it says its causes too, and would say this one twice.
        raise NetopsError(f"the model cannot be deployed: {_one_line(error)}") from None


def prove(
    ask: Ask,
    rows: Floats,
    risks: Floats,
    *,
    patience: int = MINUTE,
    wait: Callable[[float], None] = time.sleep,
) -> float:
    """Prove that a model that was started answers as it was tested: once it answers, all rows are asked.

    Parameters
    ----------
    ask : callable
        What ``Platform.start`` gave.
    rows, risks, patience, wait
        See :func:`roll_out`.

    Returns
    -------
    float
        The largest difference.

    Raises
    ------
    NetopsError
        If it does not answer in time, or answers otherwise.
    """
    return compare(_first_answers(ask, _plain(rows), patience, wait), risks)


def compare(answers: list[float], risks: Floats) -> float:
    """Compare answers with the risks that were tested.

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


def _first_answers(ask: Ask, rows: list[list[float | None]], patience: int, wait: Callable[[float], None]) -> Any:
    """Ask until there is an answer."""
    pauses = max(patience // SECOND, 1)
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
    """How the function runs on Nuclio.

    Attributes
    ----------
    image : str
        The project's image.
    min_replicas, max_replicas : int
        Replicas; each owns its share of the devices.
    stream : str
        ``kafka://broker,broker/topic`` or ``v3io:///container/path``; HTTP alone if empty.
    state_claim : str
        Volume claim for the state; none if empty.
    timeout : int
        Nanoseconds until it must be there.
    canary : int
        Share of the traffic for the new model, in per cent.
    environment : tuple of dict
        Variables, as Kubernetes takes them.
    requirements : tuple of str
        Packages that the image lacks; Nuclio builds them in.
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
    environment: tuple[dict[str, Any], ...] = ()
    requirements: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass
class Nuclio:
    """The real-time function of a network on Nuclio.

    The function follows the network's champion by itself. A version is proven on it by its name, before it becomes
    the champion; what runs is deployed again only where something else than the model has changed. A canary is a
    second function, of one model, behind one API gateway.
    """

    project: Any
    network: str
    options: NuclioOptions
    replaces: bool = False
    _function: Any = None

    @property
    def is_canary(self) -> bool:
        """Whether the model only gets a share: there must be one that keeps the rest."""
        return self.replaces and self.options.canary < 100

    @property
    def name(self) -> str:
        """Name of the function that a model is started as."""
        return f"{self.network}-serving" + ("-canary" if self.is_canary else "")

    def start(self, model: str) -> Ask:
        """Deploy the function, unless it runs as it would be deployed, and wait until Nuclio calls it ready."""
        made = self.function(model)
        self._refuse_without_token(made)
        self._function = self._running(made) or self._deploy(made)
        path = INFER if self.is_canary else f"/v2/models/{MODEL_NAME}/versions/{_version(model)}/infer"
        return lambda rows: list(
            self._function.invoke(path, body={"inputs": rows}, headers=_authorization())["outputs"]
        )

    def function(self, model: str) -> Any:
        """Make the function as it is deployed."""
        options = self.options
        parameters = options.parameters | {"follow": not self.is_canary}
        made: Any = make_serving_function(
            self.project.name, self.name, model, options.image, self.network, parameters
        )
        made.spec.min_replicas, made.spec.max_replicas = options.min_replicas, options.max_replicas
        made.spec.env = [*made.spec.env, *options.environment]
        if options.requirements:
            made.with_requirements(list(options.requirements))
        _add_triggers(made, options)
        if options.state_claim:
            add_state_volume(made, options.state_claim)
        made.metadata.labels[_FINGERPRINT] = _fingerprint(made)
        return made

    def settle(self) -> str:
        """Give a canary its share; anything else has the traffic already."""
        if self.is_canary:
            return str(self._split())
        return str(self._function.get_url())

    def take_back(self, previous: str | None) -> None:
        """Delete what was started for this model alone; a function that follows the champion still serves that."""
        if previous is None or self.is_canary:
            import mlrun

            mlrun.get_run_db().delete_function(self.name, self.project.name)

    def _refuse_without_token(self, made: Any) -> None:
        if TOKEN not in {_name(variable) for variable in made.spec.env}:
            raise NetopsError(
                f"cluster.yaml: secrets: the function needs {TOKEN}, without it it is closed over HTTP; "
                f"add '<secret>:{TOKEN}'"
            )

    def _running(self, made: Any) -> Any:
        """Give the function that is deployed, if it is ready and differs in nothing but the model."""
        import mlrun

        try:
            found = mlrun.get_run_db().get_function(self.name, self.project.name)
            deployed: Any = mlrun.new_function(runtime=found)
            labels, state = deployed.metadata.labels or {}, deployed.status.state
        except Exception:  # noqa: BLE001
            return None
        same = labels.get(_FINGERPRINT) == made.metadata.labels[_FINGERPRINT]
        return deployed if same and state == "ready" and not self.is_canary else None

    def _deploy(self, made: Any) -> Any:
        try:
            made.deploy(project=self.project.name, wait=True, timeout=self.options.timeout // SECOND)
        except Exception as error:  # noqa: BLE001
            raise NetopsError(
                f"function {self.name} cannot be deployed: {_one_line(error)}{_log_of(made)}"
            ) from None
        return made

    def _split(self) -> Any:
        from mlrun.runtimes.nuclio.api_gateway import APIGateway, APIGatewayMetadata, APIGatewaySpec

        share = self.options.canary
        functions = [f"{self.network}-serving", self.name]
        spec = APIGatewaySpec(project=self.project.name, functions=functions, canary=[100 - share, share])
        gateway = APIGateway(APIGatewayMetadata(name=f"{self.network}-serving"), spec)
        return self.project.store_api_gateway(gateway).invoke_url


def _version(model: str) -> str:
    import mlrun

    return str(mlrun.datastore.get_store_resource(model).metadata.labels["version"])


def _fingerprint(function: Any) -> str:
    """Tell two functions apart that differ in more than the model they begin with."""
    spec = function.to_dict()["spec"]
    parameters = {key: value for key, value in spec["parameters"].items() if key != "model_path"}
    return hashlib.blake2b(
        json.dumps(spec | {"parameters": parameters}, sort_keys=True, default=str).encode(), digest_size=8
    ).hexdigest()


def _log_of(function: Any) -> str:
    """Give the end of what Nuclio logged of a deployment, the function's own log included."""
    import mlrun

    try:
        text, _ = mlrun.get_run_db().get_nuclio_deploy_status(function, last_log_timestamp=0, verbose=False)
    except Exception:  # noqa: BLE001
        return ""
    lines = [" ".join(line.split()) for line in str(text or "").splitlines() if line.strip()]
    return f"; its log ends: {' | '.join(lines[-_LOG_LINES:])[-_LOG_LENGTH:]}" if lines else ""


def _name(variable: Any) -> str:
    return str(variable["name"] if isinstance(variable, dict) else variable.name)


def _add_triggers(function: Any, options: NuclioOptions) -> None:
    add_http(function)
    kind, _, rest = options.stream.partition("://")
    if kind == "kafka":
        brokers, _, topic = rest.partition("/")
        add_kafka(function, brokers.split(","), topic, replicas=options.max_replicas)
    elif kind == "v3io":
        add_v3io_stream(function, options.stream, replicas=options.max_replicas)
    elif options.stream:
        raise NetopsError(
            f"cluster.yaml: serving: stream: '{options.stream}': write kafka://broker/topic or v3io:///…"
        )


def _authorization() -> dict[str, str]:
    token = read_token()
    return {"Authorization": f"Bearer {token}"} if token else {}
