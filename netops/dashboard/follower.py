"""Follows a server: asks it twice a second what has changed, and tells those who look."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import numpy as np

from netops.dashboard.fleet import FleetModel
from netops.errors import NetopsError
from netops.http_client import async_client
from netops.serving.alerts.store import Alert
from netops.serving.http.schemas import Fleet, History

_LOG = logging.getLogger(__name__)
Answer = TypeVar("Answer")

#: Seconds between two looks, time for one answer, and looks after which everything is asked for again.
PAUSE, TIMEOUT, WHOLE = 0.5, 10.0, 120
#: Open alerts that are listed; the count beside them is of all.
LISTED = 200


class NoServerError(NetopsError):
    """The server does not answer, or not as it should."""


class Follower:
    """The newest state of a server's fleet, and a signal when it changes.

    Parameters
    ----------
    url : str
        Of ``netops serve``.
    token : str, optional
        Bearer token.
    pause : float
        Seconds between two looks.

    Attributes
    ----------
    fleet : FleetModel
        Devices.
    alerts : list of Alert
        Open alerts, the newest first.
    trouble : str
        Why the state is not the newest; empty while the server answers.
    """

    def __init__(self, url: str, token: str | None = None, pause: float = PAUSE) -> None:
        self.url, self._pause = url.rstrip("/"), pause
        self._client = async_client(TIMEOUT, token=token, base_url=self.url)
        self.fleet = FleetModel()
        self.alerts: list[Alert] = []
        self.trouble = "not asked yet"
        self._looks = 0
        self._since = 0
        self._changes = 0
        self._ended = False
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow while the block runs."""
        task = asyncio.create_task(self._follow())
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
        """Let all who wait for changes go."""
        self._ended = True
        async with self._changed:
            self._changed.notify_all()

    async def look(self) -> None:
        """Ask the server what has changed; what goes wrong is kept in ``trouble``."""
        before = self._state()
        try:
            if self._looks % WHOLE == 0:
                self._since = 0
            known = await self._take(self._since)
            if not known:
                await self._take(0)
            self.alerts = await self._get("/alerts", list[Alert], limit=100_000)
            self.trouble = ""
            self._looks += 1
        except NoServerError as error:
            self.trouble = str(error)
            self._looks = 0  # it may be another one afterwards
        if self._state() != before:
            async with self._changed:
                self._changes += 1
                self._changed.notify_all()

    def _state(self) -> tuple[object, ...]:
        """Give what differs when there is something new to show."""
        facts = self.fleet.facts
        told = (facts.cursor, facts.model, facts.threshold, facts.alerting, facts.silent) if facts else ()
        return self.trouble, told, self.alerts

    async def history(self, device: str) -> History:
        """Ask for the samples of a device."""
        return await self._get("/history", History, device=device)

    async def alerts_of(self, device: str) -> list[Alert]:
        """Ask for all alerts that are about a device, the newest first."""
        every = await self._get("/alerts", list[Alert], all="true", limit=2000)
        return [alert for alert in every if alert.device == device or device in alert.devices]

    async def record_verdict(self, alert: str, verdict: str) -> None:
        """Tell the server what an alert was.

        Raises
        ------
        NoServerError
            If the server does not take it.
        """
        said = {"verdict": verdict, "by": "dashboard"}
        await self._ask("POST", f"/alerts/{quote(alert, safe='')}/feedback", dict[str, Any], json=said)

    async def _take(self, since: int) -> bool:
        answer = await self._get("/fleet", Fleet, since=since)
        self._since = answer.cursor
        return self.fleet.take(answer, whole=since == 0)

    async def _get(self, path: str, kind: type[Answer], **query: Any) -> Answer:
        return await self._ask("GET", path, kind, params=query)

    async def _ask(self, method: str, path: str, kind: type[Answer], **more: Any) -> Answer:
        try:
            response = await self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise NoServerError(f"{self.url} does not answer ({reason}); start it: netops serve") from None
        if response.status_code == 401:
            raise NoServerError(f"{self.url} asks for its token: set NETOPS_TOKEN to the same as there")
        if response.status_code != 200:
            raise NoServerError(f"{self.url}{path} answers {response.status_code}: {response.text[:200]}")
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.DecodeError as error:
            raise NoServerError(f"{self.url}{path} is no server of this version: {error}") from None

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            since = loop.time()
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 a fault in one look must not end all the others
                _LOG.exception("the fleet cannot be followed")
                self.trouble = f"{type(error).__name__}: {error}"
            await asyncio.sleep(max(0.1, self._pause - (loop.time() - since)))


def news(follower: Follower, whole: bool) -> dict[str, Any]:
    """Put together what a page shows now.

    Parameters
    ----------
    follower : Follower
        What is known.
    whole : bool
        With the risk and the status of each device, in the order of the layout, as base64 of float32 and uint8.
    """
    fleet = follower.fleet
    facts = fleet.facts
    told: dict[str, Any] = {
        "trouble": follower.trouble,
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
    if whole:
        order = fleet.order
        told["version"] = fleet.version
        told["risk"] = base64.b64encode(fleet.risk[order].astype("<f4").tobytes()).decode()
        told["status"] = base64.b64encode(fleet.status[order].tobytes()).decode()
        told["open"] = [_listed(alert) for alert in _sites_first(follower.alerts)[:LISTED]]
    return told


def _sites_first(alerts: list[Alert]) -> list[Alert]:
    """Order alerts: what stands for many first, then risks, then silence; what a site stands for comes last."""
    rank = {"site": 0, "risk": 1, "silent": 2}
    return sorted(alerts, key=lambda alert: (bool(alert.rolled_up), rank[alert.kind], -(alert.peak or 0.0)))


def _listed(alert: Alert) -> dict[str, Any]:
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


def finite(values: Any) -> list[float | None]:
    """Give numbers fit for JSON: what is not finite becomes null."""
    array = np.asarray(values, dtype=np.float64)
    return [value if ok else None for value, ok in zip(array.tolist(), np.isfinite(array).tolist(), strict=True)]
