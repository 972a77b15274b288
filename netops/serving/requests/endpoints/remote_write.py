"""``POST /api/v1/write``: samples from Prometheus and Telegraf."""

from netops.serving.engine.pipeline import REMOTE_WRITE_TYPE
from netops.serving.requests.endpoint import Graph, GraphEndpoint, Request
from netops.serving.requests.reply import Reply


async def remote_write(graph: Graph, request: Request) -> Reply:
    """Accept samples from Prometheus and Telegraf (remote write 1.0)."""
    with graph.runtime.metrics.timed("remote_write", 204):
        await graph.process(request.body, REMOTE_WRITE_TYPE)
    return Reply(204, b"")


REMOTE_WRITE = GraphEndpoint(
    "POST", "/api/v1/write", remote_write, tag="telemetry", bodies={REMOTE_WRITE_TYPE: (bytes,)}, status=204
)
