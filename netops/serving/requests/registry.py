"""The endpoints of all servers: routing by method and path."""

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import TypeAlias, cast

from netops.serving.requests.endpoint import Endpoint
from netops.serving.requests.reply import no_such_path, not_allowed

#: Method → endpoint, of one path.
_Methods: TypeAlias = dict[str, Endpoint]
_PARAMETER = re.compile(r"\\{(\w+)(:path)?\\}")


class Endpoints:
    """Endpoints by method and path.

    Parameters
    ----------
    declared : iterable of Endpoint
        In the order of the reference.
    """

    def __init__(self, declared: Iterable[Endpoint]) -> None:
        self._all = tuple(declared)
        self._paths: dict[str, _Methods] = {}
        for endpoint in self._all:
            self._paths.setdefault(endpoint.path, {})[endpoint.method] = endpoint
        self._patterns = [(_pattern(path), methods) for path, methods in self._paths.items() if "{" in path]

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._all)

    def find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        """Return the endpoint of a request, and the parameters in its path; HEAD is answered as GET.

        Raises
        ------
        BodyError
            404 if there is no such path, 405 if it has no such method.
        """
        methods, values = self._at(path)
        if methods is None:
            raise no_such_path(path)
        if (endpoint := methods.get("GET" if method == "HEAD" else method)) is None:
            raise not_allowed(method)
        return endpoint, values

    def is_open(self, path: str) -> bool:
        """Return whether a path requires no token."""
        return any(endpoint.is_open for endpoint in (self._at(path)[0] or {}).values())

    def _at(self, path: str) -> tuple[_Methods | None, Mapping[str, str]]:
        if (methods := self._paths.get(path)) is not None:
            return methods, {}
        for pattern, methods in self._patterns:
            if match := pattern.fullmatch(path):
                return methods, match.groupdict()
        return None, {}


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(
        _PARAMETER.sub(lambda name: f"(?P<{name[1]}>{'.+' if name[2] else '[^/]+'})", re.escape(path))
    )


def _declared(address: str) -> Endpoint:
    module, _, name = address.partition(":")
    return cast(Endpoint, getattr(import_module(module), name))


#: All endpoints, in the order of the reference.
ENDPOINTS = Endpoints(
    _declared(address)
    for address in (
        "netops.serving.requests.endpoints.telemetry:TELEMETRY",
        "netops.serving.requests.endpoints.remote_write:REMOTE_WRITE",
        "netops.serving.requests.endpoints.logs:LOGS",
        "netops.serving.requests.endpoints.loki:LOKI_PUSH",
        "netops.serving.requests.endpoints.events:EVENTS",
        "netops.serving.requests.endpoints.model:INFER",
        "netops.serving.requests.endpoints.model:OPERATION",
        "netops.serving.requests.endpoints.model:MODEL",
        "netops.serving.requests.endpoints.health:HEALTH",
        "netops.serving.requests.endpoints.health:READY",
        "netops.serving.requests.endpoints.alerts:ALERTS",
        "netops.serving.requests.endpoints.alert:ALERT",
        "netops.serving.requests.endpoints.devices:DEVICES",
        "netops.serving.requests.endpoints.device_logs:DEVICE_LOGS",
        "netops.serving.requests.endpoints.fleet:FLEET",
        "netops.serving.requests.endpoints.history:HISTORY",
        "netops.serving.requests.endpoints.shadow:SHADOW",
        "netops.serving.requests.endpoints.metrics:METRICS",
        "netops.serving.requests.endpoints.verdicts:VERDICT",
        "netops.serving.requests.endpoints.incidents:INCIDENTS",
        "netops.serving.requests.endpoints.feedback:FEEDBACK",
        "netops.serving.requests.endpoints.feedback:SITE_FEEDBACK",
        "netops.serving.requests.endpoints.feedback:APPLY_SITE_FEEDBACK",
        "netops.serving.requests.endpoints.shadow:SHADOW_PARTS",
        "netops.serving.requests.endpoints.roll_up:TO_ROLL_UP",
        "netops.serving.requests.endpoints.roll_up:DECIDE",
    )
)
