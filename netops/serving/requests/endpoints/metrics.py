"""``GET /metrics``: the metrics of the server itself, for Prometheus."""

from netops.serving.engine.runtime import Runtime
from netops.serving.requests.endpoint import StateEndpoint


def metrics(runtime: Runtime) -> bytes:
    """Return metrics in the Prometheus text format."""
    return runtime.metrics.export()


METRICS = StateEndpoint("GET", "/metrics", metrics, content_type="text/plain; version=0.0.4; charset=utf-8")
