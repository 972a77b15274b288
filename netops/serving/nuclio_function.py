"""The code of the Nuclio function: MLRun's own hooks around the serving graph, and what a worker does beside it.

A worker has no loop of its own between two messages: snapshots and the look at the champion are taken with the
message that comes when they are due, and a last snapshot when Nuclio ends or drains the worker.
"""

from time import monotonic
from typing import Any

from mlrun.runtimes import nuclio_init_hook

from netops.durations import SECOND
from netops.serving.access import carries, read_token
from netops.serving.graph import pipeline_of
from netops.serving.runtime import Runtime


class Keeper:
    """Keeps a worker's state safe and its champion current.

    Parameters
    ----------
    runtime : Runtime
        The worker's.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._saved = self._looked = monotonic()

    def tend(self) -> None:
        """Do what is due."""
        now, due = monotonic(), self.runtime.settings.state
        if now - self._looked >= due.champion_interval / SECOND:
            self._looked = now
            self.runtime.refresh()
        if now - self._saved >= due.snapshot_interval / SECOND:
            self._saved = now
            self.runtime.save()


def init_context(context: Any) -> None:
    """Start the graph in a worker (called by Nuclio once)."""
    nuclio_init_hook(context, globals(), "serving_v2")
    runtime = pipeline_of(context._server.context).runtime
    runtime.deliveries.start()
    context.netops_keeper = Keeper(runtime)
    platform = getattr(context, "platform", None)
    for hook in ("set_termination_callback", "set_drain_callback"):
        if hasattr(platform, hook):
            getattr(platform, hook)(runtime.save)


def handler(context: Any, event: Any) -> Any:
    """Answer one message (called by Nuclio for each)."""
    if not _may(event):
        return context.Response(
            body='{"error": "a bearer token is needed"}', status_code=401, content_type="application/json"
        )
    answer = context.mlrun_handler(context, event)
    context.netops_keeper.tend()
    return answer


def _may(event: Any) -> bool:
    token = read_token()
    if token is None or getattr(event.trigger, "kind", "http") != "http":
        return True
    return carries(str((event.headers or {}).get("Authorization", "")), token)
