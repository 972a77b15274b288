"""Every PromQL query of the dashboards: when an exported metric is renamed, this is the one file to edit.

A query may use the dashboards' variables (``$network``, ``$company``, ``$data_center``, ``$device``) and
Grafana's ``$__rate_interval``. Names with colons are recorded by ``prometheus/rules/recording.yml``.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Query:
    """One query of a panel.

    Attributes
    ----------
    expr : str
        PromQL.
    legend : str
        Name of a series, with ``{{label}}`` places.
    kind : str
        ``range``: over the time shown; ``table``: the rows of this moment; ``heatmap``: buckets over time.
    """

    expr: str
    legend: str = ""
    kind: Literal["range", "table", "heatmap"] = "range"


NETWORK = 'network="$network"'
SITE = f'{NETWORK},company=~"$company",data_center=~"$data_center"'
DEVICE = f'{NETWORK},device="$device"'

# Variables of the dashboards, narrowing from left to right.
NETWORKS = "label_values(netops_model_info, network)"
COMPANIES = f"label_values(netops_site_devices{{{NETWORK}}}, company)"
DATA_CENTERS = f'label_values(netops_site_devices{{{NETWORK},company=~"$company"}}, data_center)'
DEVICES = f"label_values(netops_device_risk{{{SITE}}}, device)"

# Annotations.
INCIDENTS = f'ALERTS{{{NETWORK},alertname=~"DeviceAboutToFail|SiteOutage",alertstate="firing"}}'
PROMOTIONS = f"network:netops_model:promoted{{{NETWORK}}}"

# Fleet.
KNOWN_DEVICES = Query(f"sum(netops_site_devices{{{SITE}}})", "devices")
OPEN_ALERTS = Query(f"sum(netops_site_alerts_open{{{SITE}}})", "open alerts")
SILENT_DEVICES = Query(f"sum(netops_site_devices_silent{{{SITE}}})", "silent")
SITE_OUTAGES = Query(f"count(data_center:netops_outage:now{{{SITE}}}) or vector(0)", "sites")
HIGHEST_RISK = Query(f"max(data_center:netops_device_risk:max{{{SITE}}})", "risk")
SAMPLE_RATE = Query(f"sum(network:netops_samples:rate5m{{{NETWORK}}})", "samples/s")
RISK_BY_SITE = Query(f"data_center:netops_device_risk:max{{{SITE}}}", "{{company}} / {{data_center}}")
ALERTS_BY_SITE = Query(
    f"sum by (company, data_center) (netops_site_alerts_open{{{SITE}}})", "{{company}} / {{data_center}}"
)
SILENT_BY_SITE = Query(
    f"sum by (company, data_center) (netops_site_devices_silent{{{SITE}}})", "{{company}} / {{data_center}}"
)
RISKIEST_DEVICES = Query(
    f"topk(20, max by (company, data_center, device) (netops_device_risk{{{SITE}}}))", kind="table"
)
SITE_TABLE = (
    Query(f"sum by (company, data_center) (netops_site_devices{{{SITE}}})", "devices", "table"),
    Query(f"sum by (company, data_center) (netops_site_alerts_open{{{SITE}}})", "alerting", "table"),
    Query(f"sum by (company, data_center) (netops_site_devices_silent{{{SITE}}})", "silent", "table"),
    Query(f"max by (company, data_center) (data_center:netops_device_risk:max{{{SITE}}})", "risk", "table"),
)
FIRING = Query(
    f'sum by (alertname, severity, company, data_center, device) (ALERTS{{{NETWORK},alertstate="firing"}})',
    kind="table",
)

# One device: utilization, saturation, errors, and what the model makes of them.
_VALUES = f"max by (metric) (netops_device_metric{{{DEVICE},"
DEVICE_RISK = Query(f"max(netops_device_risk{{{DEVICE}}})", "risk")
DEVICE_ALERT = Query(f'count(netops_alert_open{{{DEVICE},kind="risk"}}) or vector(0)', "alert")
DEVICE_SITE = Query(f"max by (company, data_center, device) (netops_device_risk{{{DEVICE}}})", kind="table")
SITE_RISK = Query(
    f"max(data_center:netops_device_risk:max{{{NETWORK}}} "
    f"and on (company, data_center) netops_device_risk{{{DEVICE}}})",
    "highest of its data center",
)
THRESHOLD = Query(f"max(netops_model_threshold{{{NETWORK}}})", "threshold")
UTILIZATION = Query(f'{_VALUES}metric=~"$utilization"}})', "{{metric}}")
SATURATION = Query(f'{_VALUES}metric=~"$saturation"}})', "{{metric}}")
ERRORS = Query(f'{_VALUES}metric=~"$errors"}})', "{{metric}}")
MESSAGE_COUNTS = Query(f'{_VALUES}metric=~"(log|event)_.*"}})', "{{metric}}")
OTHER_METRICS = Query(f'{_VALUES}metric!=""}})', "{{metric}}")

# The service: rate, errors, duration; then what is inside it.
REQUEST_RATE = Query(f"sum by (endpoint) (endpoint:netops_requests:rate5m{{{NETWORK}}})", "{{endpoint}}")
ERROR_RATIO = Query(f"network:netops_request_errors:ratio5m{{{NETWORK}}}", "errors")
REQUEST_P99 = Query(f"endpoint:netops_request_seconds:p99_5m{{{NETWORK}}}", "p99 {{endpoint}}")
REQUEST_P50 = Query(f"endpoint:netops_request_seconds:p50_5m{{{NETWORK}}}", "p50 {{endpoint}}")
REQUEST_BUCKETS = Query(
    f"sum by (le) (increase(netops_request_seconds_bucket{{{NETWORK}}}[$__rate_interval]))", "{{le}}", "heatmap"
)
SAMPLES_BY_STATUS = Query(f"network:netops_samples:rate5m{{{NETWORK}}}", "{{status}}")
MESSAGES_BY_STATUS = Query(
    f"sum by (kind, status) (rate(netops_messages_total{{{NETWORK}}}[$__rate_interval])) > 0", "{{kind}} {{status}}"
)
STEP_P99 = Query(f"step:netops_step_seconds:p99_5m{{{NETWORK}}}", "{{step}}")
EVENT_LAG = Query(f"max(netops_event_lag_seconds{{{NETWORK}}})", "lag")
STATE_BYTES = Query(f"sum(netops_feature_state_bytes{{{NETWORK}}})", "device state")
DELIVERIES_DUE = Query(f"sum(netops_deliveries_due{{{NETWORK}}})", "alerts not yet delivered")
DELIVERIES_PARKED = Query(f"sum(netops_deliveries_parked{{{NETWORK}}})", "alerts that a receiver refuses")
LETTERS_LOST = Query(f"sum(netops_dead_letters_lost{{{NETWORK}}})", "dead letters lost")
SNAPSHOT_SECONDS = Query(f"max(netops_snapshot_seconds{{{NETWORK}}})", "snapshot")
SCRAPE_SECONDS = Query(f'max(scrape_duration_seconds{{{NETWORK},job="netops"}})', "scrape")
SERVICE_UP = Query(f'min(up{{{NETWORK},job="netops"}})', "up")

# Model health.
CHAMPION = Query(f"max by (version) (netops_model_info{{{NETWORK}}})", kind="table")
RISK_MEDIAN = Query(f"quantile(0.5, netops_device_risk{{{NETWORK}}})", "median")
RISK_P90 = Query(f"quantile(0.9, netops_device_risk{{{NETWORK}}})", "90%")
RISK_P99 = Query(f"quantile(0.99, netops_device_risk{{{NETWORK}}})", "99%")
SCORED_SHARE = Query(f"network:netops_samples_scored:ratio5m{{{NETWORK}}}", "scored")
ALERTING_SHARE = Query(
    f'sum(netops_alerts_open{{{NETWORK},kind="risk"}}) / sum(netops_devices{{{NETWORK}}})', "alerting"
)
FEATURE_DRIFT = Query(f'topk(10, netops_drift_score{{{NETWORK},kind="feature"}})', "{{name}}")
OTHER_DRIFT = Query(f'netops_drift_score{{{NETWORK},kind!="feature"}}', "{{kind}} {{name}}")
DRIFTED = Query(f"sum by (kind) (netops_drift_detected{{{NETWORK}}})", "{{kind}}")
MISSING_SHARE = Query(f"netops_missing_share{{{NETWORK}}}", "{{metric}}")

# Pipeline: the runs that make the models.
SINCE_SUCCESS = Query(
    f"time() - max by (workflow) (netops_run_success_timestamp_seconds{{{NETWORK}}})", "{{workflow}}"
)
LAST_FAILED = Query(f"max by (workflow) (netops_run_failed{{{NETWORK}}})", "{{workflow}}")
STAGE_SECONDS = Query(f"max by (workflow, stage) (netops_run_stage_seconds{{{NETWORK}}})", "{{workflow}} {{stage}}")
STAGE_ROWS = Query(f"max by (stage) (netops_run_stage_rows{{{NETWORK}}})", "{{stage}}")
RUNS = Query(f"sum by (workflow, state) (netops_runs{{{NETWORK}}})", "{{workflow}} {{state}}")
MODEL_FIGURES = Query(f"max by (family, version, figure) (netops_model_figure{{{NETWORK}}})", kind="table")
PROMOTED = Query(f"max by (version) (netops_model_info{{{NETWORK}}})", "{{version}}")
