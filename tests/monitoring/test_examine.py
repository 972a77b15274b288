"""A network against its reference: no false alarms, and each kind of drift is detected in time."""

import json
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from netops.config.durations import DAY, HOUR
from netops.errors import NetopsError
from netops.monitoring.examine import examine
from netops.monitoring.exported import MonitoringMetrics
from netops.monitoring.picture import drift_picture
from netops.monitoring.report import Finding, Report, in_order
from netops.monitoring.settings import CHOICES, MonitoringSettings
from netops.telemetry.dataset import Dataset
from tests.monitoring.conftest import TRAINED
from tests.monitoring.networks import NEW_CLASS, Network

#: Drift begins a day after the training; the days until it must be found.
DRIFTS = {
    "traffic_growth": ({"traffic_growth": {"after": f"{TRAINED + 1}d", "per_day": 0.03}}, 4.0),
    "firmware_change": (
        {
            "firmware_change": {
                "after": f"{TRAINED + 1}d",
                "shift": {"latency": 6},
                "scale": {"cpu_utilization": 1.5},
            }
        },
        1.0,
    ),
    "new_device_class": ({"strangers": NEW_CLASS | {"after": f"{TRAINED + 1}d"}}, 1.0),
}


@pytest.fixture(scope="module")
def drifted(network: Network) -> dict[str, Dataset]:
    return {
        name: network.features(network.telemetry(TRAINED * DAY, 7, **changes))
        for name, (changes, _) in DRIFTS.items()
    }


@pytest.fixture(scope="module")
def stationary(network: Network) -> Dataset:
    return network.features(network.telemetry(TRAINED * DAY, 30))


def alarms(report: Report, kinds: Iterable[str] = ("feature", "risk", "missing", "concept", "schema")) -> list[str]:
    found = [finding for finding in report.findings if finding.kind in kinds]
    return [finding.name for finding in found if finding.detected or finding.since is not None]


@pytest.mark.parametrize("statistic", CHOICES)
def test_thirty_days_without_drift_raise_at_most_one_alarm(
    network: Network, stationary: Dataset, statistic: str
) -> None:
    report = examine(stationary, network.model, MonitoringSettings(statistic=statistic))
    assert len(report.ends) == 117
    assert len(alarms(report)) <= 1
    assert not report.drifted


@pytest.mark.parametrize("statistic", CHOICES)
@pytest.mark.parametrize("kind", DRIFTS)
def test_drift_is_found_in_time(network: Network, drifted: dict[str, Dataset], kind: str, statistic: str) -> None:
    report = examine(drifted[kind], network.model, MonitoringSettings(statistic=statistic))
    first = min(finding.since for finding in report.findings if finding.kind == "feature" and finding.since)
    assert 0 < first - (TRAINED + 1) * DAY <= DRIFTS[kind][1] * DAY
    assert any(finding.kind == "feature" for finding in report.drifted)


def test_what_has_drifted_is_named(network: Network, drifted: dict[str, Dataset]) -> None:
    firmware = alarms(examine(drifted["firmware_change"], network.model, MonitoringSettings()), ["feature"])
    assert {"cpu_utilization_std_5m", "latency_mean_5m"} <= set(firmware)
    assert not [name for name in firmware if name.startswith(("throughput", "packet_loss"))]
    strangers = examine(drifted["new_device_class"], network.model, MonitoringSettings())
    assert "devices" in alarms(strangers, ["schema"])


def test_the_risk_drifts_with_the_network(network: Network) -> None:
    change = {"kind": "firmware_change", "after": f"{TRAINED + 1}d", "share": 1.0, "shift": {"latency": 12}}
    report = network.report(3, upgrade=change)
    assert "risk" in alarms(report, ["risk"])


def changed(dataset: Dataset, change) -> Dataset:
    """Change the columns of every part of a dataset of feature vectors."""
    for part in dataset.parts:
        table = pq.read_table(part)
        times = table.column("timestamp").cast(pa.int64()).to_numpy()
        for name in table.column_names:
            if (values := change(name, times, table)) is not None:
                table = table.set_column(table.column_names.index(name), name, pa.array(values))
        pq.write_table(table, part)
    return dataset


def test_missing_values_are_found(network: Network) -> None:
    features = network.features(network.telemetry(TRAINED * DAY, 4))
    begins, random = (TRAINED + 2) * DAY, np.random.default_rng(0)

    def lose(name: str, times: np.ndarray, table: pa.Table) -> np.ndarray | None:
        if name != "latency":
            return None
        return np.where(
            (times >= begins) & (random.random(len(times)) < 0.1), np.nan, table.column(name).to_numpy()
        )

    report = examine(changed(features, lose), network.model, MonitoringSettings())
    assert alarms(report, ["missing"]) == ["latency"]
    found = next(finding for finding in report.findings if finding.kind == "missing" and finding.name == "latency")
    assert found.since - begins <= 12 * HOUR
    assert found.score == pytest.approx(0.1, abs=0.02)
    assert report.missing["latency"] == pytest.approx(0.1, abs=0.02)


def test_a_removed_metric_is_a_change_of_the_schema(network: Network) -> None:
    features = network.features(network.telemetry(TRAINED * DAY, 1))

    def drop(name: str, times: np.ndarray, table: pa.Table) -> np.ndarray | None:
        return np.full(len(times), np.nan) if name.startswith("latency") and "missing" not in name else None

    report = examine(changed(features, drop), network.model, MonitoringSettings())
    assert alarms(report, ["schema"]) == ["latency"]


def test_an_hour_of_telemetry_is_enough_to_look_at(network: Network) -> None:
    report = network.report(1 / 24)
    assert len(report.ends) == 1
    assert not report.drifted


def test_telemetry_of_incidents_alone_is_refused(network: Network) -> None:
    features = network.features(network.telemetry(TRAINED * DAY, 0.1))
    incidents = pq.read_table(features.path / "_incidents.parquet").slice(0, 0)
    ends = pa.array([0, 10**15], pa.int64()).cast(pa.timestamp("ns", tz="UTC"))
    names = sorted({name for table in features.tables(["device"]) for name in table.column("device").to_pylist()})
    everything = pa.table(
        {"device": names, "start": pa.array([ends[0]] * len(names)), "end": pa.array([ends[1]] * len(names))}
    )
    pq.write_table(everything, features.path / "_incidents.parquet")
    assert incidents.num_rows == 0
    with pytest.raises(NetopsError, match="all samples are inside incidents"):
        examine(features, network.model, MonitoringSettings())


def test_the_report_is_json_and_metrics(network: Network, drifted: dict[str, Dataset]) -> None:
    report = examine(drifted["firmware_change"], network.model, MonitoringSettings())
    reported = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert reported["drift"] is True
    assert (reported["start"], reported["end"]) == ("1970-01-09T00:00:00Z", "1970-01-15T23:59:00Z")
    assert reported["findings"][0]["since"].startswith("1970-01-1")
    assert reported["findings"][0]["detected"] is True
    assert {finding["kind"] for finding in reported["findings"]} >= {"feature", "risk", "missing", "concept"}
    metrics = MonitoringMetrics("small")
    report.export(metrics)
    labels = {"network": "small", "kind": "feature", "name": "cpu_utilization_std_5m"}
    assert metrics.registry.get_sample_value("netops_drift_detected", labels) == 1
    assert metrics.registry.get_sample_value("netops_drift_score", labels) > 0.05
    assert (
        metrics.registry.get_sample_value("netops_missing_share", {"network": "small", "metric": "latency"}) < 0.01
    )


def test_the_picture_is_a_png(network: Network, drifted: dict[str, Dataset]) -> None:
    picture = drift_picture(examine(drifted["traffic_growth"], network.model, MonitoringSettings()))
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000


def test_drift_comes_first_then_what_moved_furthest() -> None:
    far, unknown = Finding("feature", "far", 0.9, 0.1), Finding("feature", "unknown", float("nan"), 0.1)
    near, found = Finding("risk", "near", 0.1, 0.05), Finding("missing", "found", 0.03, 0.02, detected=True)
    assert [finding.name for finding in in_order([unknown, near, far, found])] == [
        "found",
        "far",
        "near",
        "unknown",
    ]
    assert unknown.to_dict()["score"] is None
