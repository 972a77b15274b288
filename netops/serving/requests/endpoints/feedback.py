"""``GET /feedback``: all feedback, for a training on another machine."""

from netops.feedback.records import Feedback
from netops.serving.alerts.store_guard import for_a_request
from netops.serving.engine.runtime import Runtime
from netops.serving.requests.endpoint import STORE_ERROR, StateEndpoint


def feedback(runtime: Runtime) -> Feedback:
    """Return all recorded incidents and current feedback labels, for a training on another machine.

    Raises
    ------
    BodyError
        If the store cannot be read.
    """
    with for_a_request():
        return runtime.store.feedback(runtime.network)


FEEDBACK = StateEndpoint("GET", "/feedback", feedback, tag="feedback", errors=STORE_ERROR)
