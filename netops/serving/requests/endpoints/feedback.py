"""``GET /feedback``: all feedback, for a training on another machine."""

import msgspec

from netops.feedback.records import Feedback, Verdict, merge_feedback
from netops.serving.alerts.feedback_store import SiteVerdict, feedback_of
from netops.serving.alerts.store_guard import for_a_request
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.requests.endpoint import STORE_ERROR, Endpoint, Request, StateEndpoint
from netops.serving.requests.processes import Processes, marked
from netops.serving.requests.reply import JSON, Reply


def feedback(runtime: Runtime) -> Feedback:
    """Return all recorded incidents and current feedback labels, for a training on another machine.

    Raises
    ------
    BodyError
        If the store cannot be read.
    """
    with for_a_request():
        return feedback_of(runtime.network, [part.store for part in runtime.parts])


def site_feedback(runtime: Runtime) -> list[SiteVerdict]:
    """Return the feedback on the site alerts of this process.

    Raises
    ------
    BodyError
        If the store cannot be read.
    """
    with for_a_request():
        return [verdict for part in runtime.parts for verdict in part.store.site_verdicts()]


def apply_site_feedback(runtime: Runtime, body: list[SiteVerdict]) -> list[Verdict]:
    """Return feedback on site alerts as feedback on the device alerts of this process; nothing is recorded.

    Raises
    ------
    BodyError
        400 if a time is invalid, 503 if the store cannot be read.
    """
    try:
        with for_a_request():
            return [verdict for part in runtime.parts for verdict in part.store.verdicts_of(body)]
    except ValueError as error:
        raise BodyError(str(error), 400) from None


async def _of_all(processes: Processes, endpoint: Endpoint, request: Request) -> Reply:
    """Merge all feedback; that on a site alert applies to device alerts without feedback in any process."""
    direct = await processes.ask_all(endpoint, request)
    sites = await processes.ask_all(SITE_FEEDBACK, Request("GET", SITE_FEEDBACK.path))
    body = msgspec.json.encode([verdict for one in sites.found for verdict in one.value])
    applied = await processes.ask_all(APPLY_SITE_FEEDBACK, Request("POST", SITE_FEEDBACK.path, body, JSON))
    merged = merge_feedback(processes.runtime.network, [one.value for one in direct.found])
    known = {verdict.alert for verdict in merged.verdicts}
    others = {verdict.alert: verdict for one in applied.found for verdict in one.value}
    more = Feedback(network=merged.network, verdicts=[one for name, one in others.items() if name not in known])
    missing = sorted({*direct.missing, *sites.missing, *applied.missing})
    return marked(Reply(200, merge_feedback(merged.network, [merged, more])), missing)


FEEDBACK = StateEndpoint("GET", "/feedback", feedback, tag="feedback", errors=STORE_ERROR, combine=_of_all)
SITE_FEEDBACK = StateEndpoint("GET", "/site-feedback", site_feedback, tag="peers", errors=STORE_ERROR)
APPLY_SITE_FEEDBACK = StateEndpoint("POST", "/site-feedback", apply_site_feedback, tag="peers", errors=STORE_ERROR)
