"""``GET /feedback``: all feedback, for a training on another machine."""

from collections.abc import Sequence

from netops.feedback.records import Feedback, merge_feedback
from netops.serving.alerts.store_guard import for_a_request
from netops.serving.engine.runtime import Runtime
from netops.serving.requests.endpoint import STORE_ERROR, StateEndpoint
from netops.serving.requests.processes import Merged


def feedback(runtime: Runtime) -> Feedback:
    """Return all recorded incidents and current feedback labels, for a training on another machine.

    Raises
    ------
    BodyError
        If the store cannot be read.
    """
    with for_a_request():
        return merge_feedback(runtime.network, [part.store.feedback(runtime.network) for part in runtime.parts])


def _merged(found: Sequence[Feedback], _: None) -> Feedback:
    return merge_feedback(found[0].network, found)


FEEDBACK = StateEndpoint("GET", "/feedback", feedback, tag="feedback", errors=STORE_ERROR, combine=Merged(_merged))
