"""The reference of the Prometheus metrics, written from what a server and the monitoring export.

python -m tools.metrics_reference > docs/reference/metrics.md
"""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from netops import api
from netops.monitoring.exported import MonitoringMetrics
from netops.serving.engine.champion import FixedModel
from netops.serving.engine.partitions import Partitions
from netops.serving.engine.runtime import Runtime
from netops.serving.stream.metrics import LagCollector, OutputCollector, OutputCounts, StreamMetrics
from netops.serving.syslog.metrics import SyslogMetrics

HEAD = """# Metrics

Written from the code by `python -m tools.metrics_reference > docs/reference/metrics.md`; a test compares them.

Every series carries the label `network`. Dashboards and alert rules are built on these names
([dashboards](../dashboards.md)).
"""


def reference(runtime: Runtime) -> str:
    """Write the reference as Markdown, from a server that has taken samples or none."""
    SyslogMetrics(syslog := CollectorRegistry(), runtime.network)
    served = [*runtime.metrics.registry.collect(), *syslog.collect()]
    monitored = MonitoringMetrics("network").registry.collect()
    lines = [HEAD, "## A server (`GET /metrics`)", "", *_table(served)]
    lines += ["## A server that reads a topic (`--stream`), in addition", "", *_table(_stream().collect())]
    return "\n".join([*lines, "## Monitoring and runs (`netops monitor --port`)", "", *_table(monitored)])


def _stream() -> CollectorRegistry:
    registry = CollectorRegistry()
    StreamMetrics(registry, "network")
    registry.register(LagCollector(Partitions("topic"), "network"))
    registry.register(OutputCollector(OutputCounts(), "network"))
    return registry


def _table(families: Iterable[Metric]) -> Iterator[str]:
    yield from ("| metric | type | description |", "|---|---|---|")
    for name, family in sorted({family.name: family for family in families}.items()):
        shown = f"{name}_total" if family.type == "counter" else name
        yield f"| `{shown}` | {family.type} | {family.documentation} |"
    yield ""


def main() -> None:
    """Serve a small model and write what it exports."""
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch:
        folder = Path(scratch)
        telemetry = api.generate(folder / "telemetry", devices=16, duration="10h", seed=1)
        api.train(api.build_features(telemetry, folder / "features"), folder / "model")
        runtime = Runtime("network", FixedModel("v1", folder / "model"), folder=folder / "state")
        print(reference(runtime), end="")
        runtime.close()


if __name__ == "__main__":
    main()
