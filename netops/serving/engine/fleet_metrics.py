"""Prometheus metrics of sites and devices: alerts, stale devices, telemetry of the devices with the highest risk.

Names of sites and devices are untrusted input, so the number of series is limited.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
from prometheus_client.core import GaugeMetricFamily, Metric

from netops.serving.alerts.store import Alert
from netops.serving.engine.metrics import Measured

LOCATION = ("company", "data_center")
Site = tuple[str, str]


class FleetCollector:
    """Collects gauges by site and by device from the runtime.

    Parameters
    ----------
    runtime : Measured
        The runtime with state, active alerts and limits.
    """

    def __init__(self, runtime: Measured) -> None:
        self.runtime = runtime

    def describe(self) -> Iterable[Metric]:
        """Return no metrics: they are only known on collection."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        alerts = [alert for alert in self.runtime.active_alerts.current() if not alert.silenced]
        yield from self._sites(alerts)
        yield self._alerts(alerts)
        yield self._values()

    def _sites(self, alerts: list[Alert]) -> Iterator[Metric]:
        table, silent = self.runtime.state.table, self.runtime.state.clock.silent
        devices: Counter[Site] = Counter()
        stale: Counter[Site] = Counter()
        for code in table.codes():
            site = _site(*table.locations[code])
            devices[site] += 1
            stale[site] += int(silent[code])
        sites = [site for site, _ in devices.most_common(self.runtime.settings.limits.risk_series)]
        yield self._family(
            "netops_site_devices", "Known devices, by site", LOCATION, ((s, devices[s]) for s in sites)
        )
        yield self._family(
            "netops_site_devices_silent", "Stale devices, by site", LOCATION, ((s, stale[s]) for s in sites)
        )
        opened = Counter((alert.kind, _site(alert.company, alert.data_center)) for alert in alerts)
        rows = (((kind, *site), opened[kind, site]) for site in sites for kind in ("risk", "silent", "site"))
        yield self._family("netops_site_alerts_open", "Open alerts, by site and kind", ("kind", *LOCATION), rows)

    def _alerts(self, alerts: list[Alert]) -> Metric:
        # Sites first, so that they are not cut off if there are more alerts than series.
        ordered = sorted(alerts, key=lambda alert: alert.kind != "site")[: self.runtime.settings.limits.risk_series]
        labels = ("kind", "device", *LOCATION)
        rows = (
            ((alert.kind, alert.device or "", *_site(alert.company, alert.data_center)), 1) for alert in ordered
        )
        return self._family("netops_alert_open", "1 for each open alert that is not silenced", labels, rows)

    def _values(self) -> Metric:
        state, metrics = self.runtime.state, self.runtime.model.spec.metrics
        limit = self.runtime.settings.limits.telemetry_series // max(len(metrics), 1)
        rows = (
            ((device, *_site(company, center), metric), value)
            for device, company, center, _ in self.runtime.highest_risks()[:limit]
            for metric, value in zip(metrics, state.values[state.table.code(device)].tolist(), strict=True)
            if not np.isnan(value)
        )
        labels = ("device", *LOCATION, "metric")
        return self._family(
            "netops_device_metric", "Newest telemetry of the devices with the highest risk", labels, rows
        )

    def _family(
        self, name: str, about: str, labels: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], float]]
    ) -> Metric:
        family = GaugeMetricFamily(name, about, labels=["network", *labels])
        for values, value in rows:
            family.add_metric([self.runtime.network, *values], float(value))
        return family


def _site(company: str | None, data_center: str | None) -> Site:
    return company or "", data_center or ""
