"""Track a server: poll its changes twice a second, and notify the open pages."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import quote

import httpx
import msgspec
import numpy as np
import numpy.typing as npt

from netops.dashboard.fleet import FleetModel
from netops.errors import NetopsError
from netops.http_client import async_client
from netops.serving.alerts.store import Alert
from netops.serving.requests.schemas import DeviceLogs, Fleet, History
from netops.serving.requests.scope import MISSING_HEADER

_LOG = logging.getLogger(__name__)
Answer = TypeVar("Answer")

#: Seconds between two polls, timeout of an answer, and number of polls after which all devices are queried again.
PAUSE, TIMEOUT, FULL = 0.5, 10.0, 120
#: Maximum open alerts listed; the counts are of all.
LISTED = 200
#: Maximum log messages of a device.
MESSAGES = 1000


class NoServerError(NetopsError):
    """The server does not respond, or responds with an error."""


class Follower:
    """The newest state of a server's fleet, and a signal when it changes.

    Parameters
    ----------
    url : str
        Address of ``netops serve``.
    token : str, optional
        Bearer token.
    pause : float
        Seconds between two polls.

    Attributes
    ----------
    fleet : FleetModel
        Devices.
    alerts : list of Alert
        Open alerts, newest first.
    trouble : str
        Why the state is outdated; empty while the server responds.
    missing : str
        Partitions of a stream for which no process answers; empty if there are none.
    """

    def __init__(self, url: str, token: str | None = None, pause: float = PAUSE) -> None:
        self.url, self._pause = url.rstrip("/"), pause
        self._client = async_client(TIMEOUT, token=token, base_url=self.url)
        self.fleet = FleetModel()
        self.alerts: list[Alert] = []
        self.trouble = "not polled yet"
        self.missing = ""
        self._polls = 0
        self._since = 0
        self._changes = 0
        self._ended = False
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Poll the server while the block runs."""
        task = asyncio.create_task(self._poll_forever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._client.aclose()

    async def changes(self) -> AsyncIterator[None]:
        """Yield now, and whenever something has changed, until the end."""
        while not self._ended:
            seen = self._changes
            yield
            async with self._changed:
                while self._changes == seen and not self._ended:
                    await self._changed.wait()

    async def end(self) -> None:
        """End all waits for changes."""
        self._ended = True
        async with self._changed:
            self._changed.notify_all()

    async def poll(self) -> None:
        """Query the changes from the server; an error is stored in ``trouble``."""
        before = self._state()
        try:
            if self._polls % FULL == 0:
                self._since = 0
            complete = await self._update(self._since)
            if not complete:
                await self._update(0)
            self.alerts = await self._get("/alerts", list[Alert], limit=100_000)
            self.trouble = ""
            self._polls += 1
        except NoServerError as error:
            self.trouble = str(error)
            self._polls = 0  # the server may be replaced
        if self._state() != before:
            async with self._changed:
                self._changes += 1
                self._changed.notify_all()

    def _state(self) -> tuple[object, ...]:
        """Return a value that changes when there is something new to show."""
        facts = self.fleet.facts
        shown = (facts.cursor, facts.model, facts.threshold, facts.alerting, facts.silent) if facts else ()
        return self.trouble, self.missing, shown, self.alerts

    async def history(self, device: str) -> History:
        """Query the samples of a device."""
        return await self._get("/history", History, device=device)

    async def logs(self, device: str) -> DeviceLogs:
        """Query the last messages of a device."""
        # Twice: a slash is not decoded before the path is split.
        name = quote(quote(device, safe=""), safe="")
        return await self._get(f"/devices/{name}/logs", DeviceLogs, limit=MESSAGES)

    async def alerts_of(self, device: str) -> list[Alert]:
        """Query all alerts of a device, newest first."""
        every = await self._get("/alerts", list[Alert], all="true", limit=2000)
        return [alert for alert in every if alert.device == device or device in alert.devices]

    async def record_verdict(self, alert: str, verdict: str) -> None:
        """Send feedback on an alert to the server.

        Raises
        ------
        NoServerError
            If the server does not accept it.
        """
        body = {"verdict": verdict, "by": "dashboard"}
        await self._request("POST", f"/alerts/{quote(alert, safe='')}/feedback", dict[str, object], body=body)

    async def _update(self, since: int) -> bool:
        answer = await self._get("/fleet", Fleet, since=since)
        self._since = answer.cursor
        return self.fleet.apply(answer, full=since == 0)

    async def _get(self, path: str, kind: type[Answer], **query: str | int) -> Answer:
        return await self._request("GET", path, kind, query=query)

    async def _request(
        self,
        method: str,
        path: str,
        kind: type[Answer],
        query: Mapping[str, str | int] | None = None,
        body: object = None,
    ) -> Answer:
        try:
            response = await self._client.request(method, path, params=query, json=body)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise NoServerError(f"{self.url} does not respond ({reason}); start it with: netops serve") from None
        if path == "/fleet":
            self.missing = response.headers.get(MISSING_HEADER, "")
        if response.status_code == 401:
            raise NoServerError(f"{self.url} requires a token: set NETOPS_TOKEN to the token of the server")
        if response.status_code != 200:
            raise NoServerError(f"{self.url}{path} returned {response.status_code}: {response.text[:200]}")
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.DecodeError as error:
            raise NoServerError(f"{self.url}{path} is not a netops server of this version: {error}") from None

    async def _poll_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            since = loop.time()
            try:
                await self.poll()
            except Exception as error:  # noqa: BLE001 a fault in one look must not end all the others
                _LOG.exception("polling the fleet failed")
                self.trouble = f"{type(error).__name__}: {error}"
            await asyncio.sleep(max(0.1, self._pause - (loop.time() - since)))


def delta(follower: Follower, full: bool) -> dict[str, object]:
    """Return the values that a page shows.

    Parameters
    ----------
    follower : Follower
        The tracked state.
    full : bool
        Whether to include risk and status of each device, in the order of the layout, as base64 of float32 and
        uint8.
    """
    fleet = follower.fleet
    facts = fleet.facts
    values: dict[str, object] = {
        "trouble": follower.trouble,
        "missing": follower.missing,
        "server": follower.url,
        "network": facts.network if facts else None,
        "model": facts.model if facts else None,
        "time": facts.event_time if facts else None,
        "threshold": facts.threshold if facts else None,
        "devices": len(fleet),
        "alerts": sum(alert.kind == "risk" for alert in follower.alerts),
        "silent": sum(alert.kind == "silent" for alert in follower.alerts),
        "sites": sum(alert.kind == "site" for alert in follower.alerts),
    }
    if full:
        order = fleet.order
        values["version"] = fleet.version
        values["risk"] = base64.b64encode(fleet.risk[order].astype("<f4").tobytes()).decode()
        values["status"] = base64.b64encode(fleet.status[order].tobytes()).decode()
        values["open"] = [_listed(alert) for alert in _sites_first(follower.alerts)[:LISTED]]
    return values


def _sites_first(alerts: list[Alert]) -> list[Alert]:
    """Sort alerts: sites first, then risks, then stale devices; rolled-up alerts last."""
    rank = {"site": 0, "risk": 1, "silent": 2}
    return sorted(alerts, key=lambda alert: (bool(alert.rolled_up), rank[alert.kind], -(alert.peak or 0.0)))


def _listed(alert: Alert) -> dict[str, object]:
    return {
        "id": alert.id,
        "kind": alert.kind,
        "device": alert.device,
        "company": alert.company or "",
        "data_center": alert.data_center or "",
        "opened": alert.opened,
        "renewed": alert.renewed[-1] if alert.renewed else None,
        "peak": alert.peak,
        "devices": len(alert.devices),
        "rolled_up": bool(alert.rolled_up),
        "silenced": alert.silenced,
        "reason": alert.reasons[0].feature if alert.reasons else None,
    }


def finite(values: Sequence[float] | npt.NDArray[np.float32]) -> list[float | None]:
    """Convert numbers for JSON: non-finite values become None."""
    array = np.asarray(values, dtype=np.float64)
    return [value if ok else None for value, ok in zip(array.tolist(), np.isfinite(array).tolist(), strict=True)]
