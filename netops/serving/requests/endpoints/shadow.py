"""``GET /shadow``: how the challenger in the shadow of the champion compares with it."""

from collections.abc import Iterable

import msgspec

from netops.serving.engine.runtime import Runtime
from netops.serving.requests.endpoint import Endpoint, Request, StateEndpoint
from netops.serving.requests.processes import Processes, marked
from netops.serving.requests.reply import Reply
from netops.serving.shadow.parts import ComparedPart, report_of
from netops.serving.shadow.report import ShadowReport


class ShadowAnswer(msgspec.Struct):
    """The shadow, and its comparison with the champion; null if there is none."""

    network: str
    champion: str
    challenger: str | None
    report: ShadowReport | None


def shadow(runtime: Runtime) -> ShadowAnswer:
    """Return how the challenger in the shadow of the champion compares with it."""
    return _answer(runtime, shadow_parts(runtime))


def shadow_parts(runtime: Runtime) -> list[ComparedPart]:
    """Return the comparison of each partition of this process."""
    return [part for one in runtime.parts if (part := one.shadow.part()) is not None]


def _answer(runtime: Runtime, parts: Iterable[ComparedPart]) -> ShadowAnswer:
    champion, model = runtime.model.version, runtime.shadow.model
    challenger = None if model is None else model.version
    # A partition follows a change of either model with its next message.
    same = [part for part in parts if part.versions == (champion, challenger)]
    return ShadowAnswer(runtime.network, champion, challenger, report_of(same) if same else None)


async def _of_all(processes: Processes, _: Endpoint, request: Request) -> Reply:
    """Compare the samples of all processes."""
    answers = await processes.ask_all(SHADOW_PARTS, Request("GET", SHADOW_PARTS.path))
    parts = [part for one in answers.found for part in one.value]
    return marked(Reply(200, _answer(processes.runtime, parts)), answers.missing)


SHADOW = StateEndpoint("GET", "/shadow", shadow, combine=_of_all)
SHADOW_PARTS = StateEndpoint("GET", "/shadow-parts", shadow_parts, tag="peers")
