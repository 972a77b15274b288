"""Processes requests of one sample that arrive together as one batch: it takes little longer than one of them."""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic

from netops.serving.engine.samples import Answer, Samples
from netops.serving.engine.work import SLICE

#: Requests that follow each other within this time (in seconds) are joined.
_BUSY = 0.002
#: The longest time (in seconds) that a request waits for as many others as there were before.
_PATIENCE = 0.0005
#: For fewer requests waiting is not worthwhile: two at a time are answered no faster.
_FEW = 2


class JoinedRequests:
    """Collects the samples of requests until the event loop has read what has arrived.

    A request after a pause is processed at once. Where several clients send one request after the other, their next
    ones follow the answers within a fraction of a millisecond: as long, as many as before are waited for.

    Parameters
    ----------
    process : callable
        Processes the samples of requests; returns an answer to each sample.
    """

    def __init__(self, process: Callable[[Sequence[Samples]], list[Answer]]) -> None:
        self._process, self._last = process, monotonic()
        self._expected, self._until = 1, 0.0
        self._waiting: list[tuple[Samples, asyncio.Future[list[Answer]]]] = []

    async def run(self, samples: Samples) -> list[Answer]:
        """Process the samples of a request, together with those of others that have arrived."""
        since = self._last
        self._last = monotonic()
        if not self._waiting and self._last - since > _BUSY:
            return self._process([samples])
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[Answer]] = loop.create_future()
        self._waiting.append((samples, found))
        if len(self._waiting) == 1:
            self._until = self._last + _PATIENCE
            loop.call_soon(self._run)
        return await found

    def _run(self) -> None:
        is_soon = monotonic() < self._until
        if is_soon and self._expected > _FEW and len(self._waiting) < self._expected:
            asyncio.get_running_loop().call_soon(self._run)
            return
        together, self._waiting = self._waiting[:SLICE], self._waiting[SLICE:]
        self._expected = len(together) + len(self._waiting)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._run)
        try:
            answers = self._process([samples for samples, _ in together])
        except Exception as error:  # noqa: BLE001 it is raised in the requests
            for _, found in together:
                if not found.done():
                    found.set_exception(error)
            return
        start = 0
        for samples, found in together:
            if not found.done():  # a request may have been canceled: its samples are processed all the same
                found.set_result(answers[start : start + len(samples)])
            start += len(samples)
