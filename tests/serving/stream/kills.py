"""Ends the process that rolls up alerts at one step, once: whoever removes a file first is killed."""

import os
import signal
from pathlib import Path
from typing import Any

STEPS = ("before storing", "before sending", "while sending", "after sending")


def install(step: str, file: Path) -> None:
    """Let the process that opens a site alert be killed at a step, if the file exists."""
    from netops.serving.alerts.active import ActiveAlerts
    from netops.serving.peers.aggregator import Aggregator

    store, decide = ActiveAlerts.replace_sites, Aggregator._decide

    def die() -> None:
        try:
            file.unlink()
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    def replace_sites(alerts: Any, found: Any, *more: Any) -> bool:
        found = list(found)
        if found and step == "before storing":
            die()
        return store(alerts, found, *more)

    async def _decide(aggregator: Any, zero: Any, parts: Any, owners: dict[int, str], *more: Any) -> None:
        has_sites = bool(zero.runtime.active_alerts.sites.open)
        if has_sites and step == "before sending":
            die()
        if has_sites and step == "while sending":
            ask = aggregator._network.ask

            async def ask_once(*arguments: Any) -> Any:
                answer = await ask(*arguments)
                die()
                return answer

            aggregator._network.ask = ask_once
        await decide(aggregator, zero, parts, owners, *more)
        if has_sites and step == "after sending":
            die()

    ActiveAlerts.replace_sites, Aggregator._decide = replace_sites, _decide
