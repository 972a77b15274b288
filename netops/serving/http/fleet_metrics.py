"""What the server exports of sites and devices: who alerts, who is silent, what the riskiest devices measure.

Names of sites and devices come from whoever sends samples, so each family has a limit on its series.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from prometheus_client.core import GaugeMetricFamily, Metric

PLACE = ("company", "data_center")
Site = tuple[str, str]


class FleetCollector:
    """Gauges by site and by device, read off the runtime when they are asked for.

    Parameters
    ----------
    runtime : Runtime
        Its state, its book of alerts and its limits.
    """

    def __init__(self, runtime: Any) -> None:
        self.runtime = runtime

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before it is asked for."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield one family after the other."""
        alerts = [alert for alert in self.runtime.book.current() if not alert.silenced]
        yield from self._sites(alerts)
        yield self._alerts(alerts)
        yield self._values()

    def _sites(self, alerts: list[Any]) -> Iterator[Metric]:
        table, silent = self.runtime.state.table, self.runtime.state.clock.silent
        devices: Counter[Site] = Counter()
        quiet: Counter[Site] = Counter()
        for code in table.codes():
            site = _site(*table.places[code])
            devices[site] += 1
            quiet[site] += int(silent[code])
        kept = [site for site, _ in devices.most_common(self.runtime.settings.limits.risk_series)]
        yield self._family("netops_site_devices", "Devices known, by site", PLACE, ((s, devices[s]) for s in kept))
        yield self._family(
            "netops_site_devices_silent", "Devices that are silent, by site", PLACE, ((s, quiet[s]) for s in kept)
        )
        opened = Counter((alert.kind, _site(alert.company, alert.data_center)) for alert in alerts)
        rows = (((kind, *site), opened[kind, site]) for site in kept for kind in ("risk", "silent", "site"))
        yield self._family("netops_site_alerts_open", "Open alerts, by site and kind", ("kind", *PLACE), rows)

    def _alerts(self, alerts: list[Any]) -> Metric:
        # Sites first: should there be more alerts than series, what stands for many must not be missing.
        ordered = sorted(alerts, key=lambda alert: alert.kind != "site")[: self.runtime.settings.limits.risk_series]
        labels = ("kind", "device", *PLACE)
        rows = (
            ((alert.kind, alert.device or "", *_site(alert.company, alert.data_center)), 1) for alert in ordered
        )
        return self._family("netops_alert_open", "1 for each open alert that is not silenced", labels, rows)

    def _values(self) -> Metric:
        state, metrics = self.runtime.state, self.runtime.model.spec.metrics
        most = self.runtime.settings.limits.telemetry_series // max(len(metrics), 1)
        rows = (
            ((device, *_site(company, center), metric), value)
            for device, company, center, _ in self.runtime.highest_risks()[:most]
            for metric, value in zip(metrics, state.values[state.table.code(device)].tolist(), strict=True)
            if not np.isnan(value)
        )
        labels = ("device", *PLACE, "metric")
        return self._family("netops_device_metric", "Newest telemetry of the riskiest devices", labels, rows)

    def _family(
        self, name: str, about: str, labels: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], float]]
    ) -> Metric:
        family = GaugeMetricFamily(name, about, labels=["network", *labels])
        for values, value in rows:
            family.add_metric([self.runtime.network, *values], float(value))
        return family


def _site(company: str | None, data_center: str | None) -> Site:
    return company or "", data_center or ""
