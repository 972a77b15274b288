"""What the endpoints that accept log messages and events share."""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from netops.errors import NetopsError
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.logs.intake import MessageIntake, slices
from netops.serving.logs.messages import Counts
from netops.serving.requests.endpoint import Graph
from netops.serving.requests.service import INLINE

T = TypeVar("T")
P = ParamSpec("P")
_CONFLICT = 409
NOT_COUNTED = {_CONFLICT: "The champion was trained without them"}
_READER = ThreadPoolExecutor(1, "messages")


def intake_of(runtime: Runtime, entry: str) -> MessageIntake:
    """Return what accepts messages.

    Raises
    ------
    BodyError
        409 if the champion does not count them.
    """
    try:
        return runtime.intake(entry)
    except NetopsError as error:
        raise BodyError(str(error), _CONFLICT) from None


async def parsed(body: object, parse: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Parse a body, a large one in a thread.

    Parameters
    ----------
    body : object
        Its size decides; ``parse`` gets it among its arguments.
    parse : callable
    """
    if not isinstance(body, bytes) or len(body) <= INLINE:
        return parse(*args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_READER, lambda: parse(*args, **kwargs))


async def accept(
    graph: Graph, entry: str, items: Iterable[T], add: Callable[[MessageIntake, list[T]], Counts]
) -> Counts:
    """Accept messages in slices, with other requests in between.

    Then, before the messages are acknowledged, devices without metrics that are due are scored, and the replay
    point is stored.

    Parameters
    ----------
    graph : Graph
    entry : str
        ``logs`` or ``events``.
    items : iterable
    add : callable
        Adds some items to the intake, which is that of the champion: it may change meanwhile.
    """
    counts = Counts()
    for part in slices(items):
        counts += add(intake_of(graph.runtime, entry), part)
        await asyncio.sleep(0)
    await graph.score_log_devices()
    if graph.runtime.replay.due:
        await asyncio.to_thread(graph.runtime.replay.write)
    return counts
