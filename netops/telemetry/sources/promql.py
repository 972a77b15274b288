"""The query API of Prometheus."""

import os
from collections.abc import Mapping, Sequence
from typing import TypedDict, cast

from netops.errors import NetopsError
from netops.http_client import client

#: Environment variable with a bearer token, for a Prometheus server that requires one.
TOKEN = "NETOPS_PROMETHEUS_TOKEN"  # noqa: S105 the name of a variable
_TOO_MUCH = ("too many samples", "maximum resolution", "timed out", "too large")


class Series(TypedDict):
    """A series over time: its labels, and pairs of seconds and text."""

    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Instant(TypedDict):
    """A series at one instant."""

    value: tuple[float, str]


class TooMuchError(NetopsError):
    """Prometheus rejected a query because of its size."""


class QueryApi:
    """Send queries to one Prometheus server.

    Parameters
    ----------
    url : str
        ``http://host:9090``, with a path if it is served under one.
    timeout : float
        Seconds to wait for an answer.
    """

    def __init__(self, url: str, timeout: float) -> None:
        import httpx

        token = os.environ.get(TOKEN)
        self.url = str(httpx.URL(url).copy_with(userinfo=b""))
        self._client = client(timeout, token=token, retries=2, base_url=url.rstrip("/") + "/api/v1/")

    def now(self) -> float:
        """Query the server's time, in seconds."""
        return float(cast(Sequence[float], self._get("query", {"query": "time()"}, "time()"))[0])

    def count(self, query: str, time: float) -> int:
        """Count the series of a query at one instant."""
        found = cast(Sequence[_Instant], self._get("query", {"query": f"count({query})", "time": time}, query))
        return int(found[0]["value"][1]) if found else 0

    def range(self, query: str, start: float, end: float, step: float) -> list[Series]:
        """Evaluate a query at ``start``, ``start + step``, … up to ``end``.

        Returns
        -------
        list of dict
            Series: ``metric`` (its labels) and ``values`` (pairs of seconds and text).

        Raises
        ------
        TooMuchError
            If the query exceeds the server's limits.
        NetopsError
            If the server cannot be reached, or rejects the query.
        """
        span: dict[str, str | float] = {"query": query, "start": start, "end": end, "step": step}
        return cast(list[Series], self._get("query_range", span, query))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _get(self, path: str, parameters: Mapping[str, str | float], query: str) -> object:
        import httpx

        try:
            response = self._client.post(path, data=dict(parameters))
            answer = response.json()
        except httpx.TimeoutException:
            raise TooMuchError(f"{self.url}: the query '{query}' timed out") from None
        except httpx.HTTPError as error:
            raise NetopsError(f"{self.url}: cannot be reached: {error}") from None
        except ValueError:
            raise NetopsError(f"{self.url}: not a Prometheus response (HTTP {response.status_code})") from None
        if answer.get("status") != "success":
            reason = " ".join(str(answer.get("error", response.status_code)).split())
            kind = TooMuchError if any(words in reason for words in _TOO_MUCH) else NetopsError
            raise kind(f"{self.url}: the query '{query}' was rejected: {reason}")
        return answer["data"]["result"]
