"""What happened in an episode, in sentences."""

import numpy as np

from netops.alerting.matching import MISSED
from netops.config.durations import SECOND
from netops.evaluation.report.matched_alerts import MatchedAlerts
from netops.evaluation.report.words import counted, lasting, moment, number


def incident_note(incident: int, model: MatchedAlerts, baseline: MatchedAlerts | None) -> str:
    """Return the lead time of an incident, or why it was missed, and the result of static thresholds."""
    lead = int(model.matching.lead[incident])
    text = why_missed(incident, model) if lead == MISSED else f"Alert {_before(lead)}."
    if baseline is None:
        return text
    lead = int(baseline.matching.lead[incident])
    other = "gave no warning" if lead == MISSED else f"alerted {_before(lead)}"
    return f"{text} Static thresholds {other}."


def false_alarm_note(alert: int, model: MatchedAlerts) -> str:
    """Describe a false alarm: its duration, the highest risk and a later incident."""
    alerts, incidents = model.alerts, model.split.incidents
    opened, device = int(alerts.opened[alert]), int(alerts.device[alert])
    lasted = lasting((int(alerts.closed[alert]) - opened) / SECOND)
    still = ", until the telemetry ends" if alerts.still_open[alert] else ""
    starts = incidents.start[incidents.offsets[device] : incidents.offsets[device + 1]]
    later = starts[starts > opened]
    after = "No incident of this device followed."
    if len(later):
        gap = lasting((int(later[0]) - opened) / SECOND)
        after = f"The device failed {gap} later: the alert came too early to count as a warning."
    return f"Open for {lasted}{still}; the risk rose to {number(float(alerts.peak[alert]))}. {after}"


def _before(lead: int) -> str:
    return f"{lasting(lead / SECOND)} before the incident"


def why_missed(incident: int, model: MatchedAlerts) -> str:
    """Return why an incident was missed."""
    window, threshold = model.window(incident), model.policy.threshold
    risks, times = model.risks[window], model.split.sequences.timestamps[window]
    if opened := _open_before(incident, model):
        return f"No alert could open in time: one had been open since {moment(opened)} UTC, too early to count."
    if not np.isfinite(risks).any():
        return "No sample before it was scored."
    if not (risks >= threshold).any():
        top = int(np.nanargmax(risks))
        start = int(model.split.incidents.start[incident])
        highest, wanted = number(float(risks[top])), number(threshold)
        close = "just below it" if highest == wanted else f"{highest} at most"
        return f"The threshold is {wanted}; the risk rose to {close}, {_before(start - int(times[top]))}."
    reached = counted(int((risks >= threshold).sum()), "sample")
    return f"The risk reached the threshold on {reached}, but not on {model.policy.for_samples} in a row in time."


def _open_before(incident: int, model: MatchedAlerts) -> int | None:
    """Return the opening time of an alert that was open at the start of the warning window."""
    device, since = int(model.split.incidents.device[incident]), int(model.warned_from[incident])
    opened = [span[0] for span in model.spans(device, since, since) if span[0] < since]
    return opened[0] if opened else None
