"""Run all checks of telemetry before training; the result is one report."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from netops.config.durations import SECOND, format_duration
from netops.errors import brief
from netops.progress import Progress, silent
from netops.telemetry.checks.clock_incidents import clock_findings
from netops.telemetry.checks.label_shift import ShiftScan
from netops.telemetry.checks.labels import late_labels, near_rows, starts_of, too_good
from netops.telemetry.checks.report import OFF, REFUSE, CheckReport, Finding
from netops.telemetry.columns.roles import matches
from netops.telemetry.dataset import Dataset, Meta, matrix_of, rows_of
from netops.telemetry.network_schema import NetworkSchema
from netops.telemetry.schema import DEVICE, END, IS_ERROR, START, TIMESTAMP
from netops.telemetry.settings import CheckSettings

Found = Iterator[tuple[str, str]]

_CHECKS = ("schema", "ranges", "time_order", "gaps", "duplicate_devices", "label_delay", "leakage")
_ROWS_FOR_LEAKAGE = 20_000


@dataclass
class _Seen:
    """Statistics of one pass over the telemetry."""

    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    gaps: dict[str, tuple[int, int]] = field(default_factory=dict)
    prints: dict[str, str] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    outside: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    near: list[npt.NDArray[np.float64]] = field(default_factory=list)
    positive: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    shift: ShiftScan = field(default_factory=ShiftScan)


def check_telemetry(
    dataset: Dataset,
    settings: CheckSettings,
    horizon: int,
    like: NetworkSchema | None = None,
    progress: Progress = silent,
) -> CheckReport:
    """Check telemetry.

    Parameters
    ----------
    dataset : Dataset
    settings : CheckSettings
        The action of each check: refuse, warn, or nothing.
    horizon : int
        How far ahead incidents are to be predicted, in nanoseconds.
    like : NetworkSchema, optional
        The schema with which the telemetry was read, to report missing and new metrics.
    progress : Progress

    Returns
    -------
    CheckReport
        Nothing is raised here: see :meth:`CheckReport.raise_if_refused`.
    """
    seen = _Seen()
    parts = len(dataset.parts)
    logged = _logged(dataset) if settings.label_delay != OFF else {}
    for number, table in enumerate(dataset.tables(), 1):
        _look(seen, table, dataset.meta, settings, horizon)
        _look_at_log(seen, table, dataset.meta, logged)
        progress(number, parts, "telemetry checked")
    found = {
        "schema": _schema(dataset.meta, seen, settings, like),
        "ranges": _ranges(dataset.meta, seen, settings),
        "time_order": _time_order(dataset.meta, seen),
        "gaps": _gaps(seen, settings),
        "duplicate_devices": _duplicate_devices(seen),
        "label_delay": _label_delay(dataset, seen),
        "leakage": _leakage(dataset, seen, settings),
    }
    return _report(dataset, settings, found)


def _report(dataset: Dataset, settings: CheckSettings, found: dict[str, Found]) -> CheckReport:
    findings, passed = [], []
    for check in _CHECKS:
        action = getattr(settings, check)
        results = list(found[check]) if action != OFF else []
        findings += [Finding(check, action, subject, message) for subject, message in results]
        if action != OFF and not results:
            passed.append(check)
    findings.sort(key=lambda finding: finding.action != REFUSE)
    return CheckReport(dataset.meta.source, tuple(findings), tuple(passed))


def _look(seen: _Seen, table: pa.Table, meta: Meta, settings: CheckSettings, horizon: int) -> None:
    rows = rows_of(table)
    for index, device in enumerate(rows.devices):
        start, end = rows.offsets[index], rows.offsets[index + 1]
        times = rows.timestamps[start:end]
        seen.spans[device] = int(times[0]), int(times[-1])
        seen.gaps[device] = _silence(times, settings.gap_intervals)
        own = table.slice(start, end - start)
        # Devices that are known from their logs alone have no values to compare.
        seen.prints[device] = _fingerprint(own, meta.metrics) if _has_values(own, meta.metrics) else device
    for name in meta.metrics:
        values = table.column(name).to_numpy()
        seen.known[name] += int(np.isfinite(values).sum())
        for glob, bounds in settings.bounds.items():
            if matches(name, [glob]):
                seen.outside[name] += int(((values < bounds[0]) | (values > bounds[-1])).sum())
    if settings.leakage != OFF and meta.incidents:
        chosen, positive = near_rows(rows, table.column(IS_ERROR).to_numpy(), horizon, _ROWS_FOR_LEAKAGE)
        seen.near.append(matrix_of(table.take(pa.array(chosen)), list(meta.metrics)))
        seen.positive.append(positive)


def _logged(dataset: Dataset) -> dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Return the incidents of a log by device; none where the telemetry itself is labelled."""
    if "incident_log" not in dataset.meta.details:
        return {}
    table = dataset.incidents()
    devices = np.array(table.column(DEVICE).to_pylist(), object)
    starts, ends = (table.column(name).cast(pa.int64()).to_numpy() for name in (START, END))
    return {device: (starts[devices == device], ends[devices == device]) for device in set(devices)}


def _look_at_log(
    seen: _Seen,
    table: pa.Table,
    meta: Meta,
    logged: Mapping[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]],
) -> None:
    rows = rows_of(table)
    for index, device in enumerate(rows.devices):
        if device in logged:
            start, end = rows.offsets[index], rows.offsets[index + 1]
            metrics = matrix_of(table.slice(start, end - start), list(meta.metrics))
            seen.shift.add(rows.timestamps[start:end], metrics, *logged[device])


def _silence(times: npt.NDArray[np.int64], factor: float) -> tuple[int, int]:
    """Count the gaps of one device and sum their durations."""
    steps = np.diff(times)
    long = steps[steps > factor * np.median(steps)] if len(steps) else steps
    return len(long), int(long.sum())


def _fingerprint(table: pa.Table, metrics: Iterable[str]) -> str:
    digest = hashlib.blake2b(table.column(TIMESTAMP).cast(pa.int64()).to_numpy().tobytes(), digest_size=16)
    for name in metrics:
        digest.update(np.ascontiguousarray(table.column(name).to_numpy()).tobytes())
    return digest.hexdigest()


def _schema(meta: Meta, seen: _Seen, settings: CheckSettings, like: NetworkSchema | None) -> Found:
    for name in meta.metrics:
        share = seen.known[name] / max(1, meta.samples)
        if like is not None and not seen.known[name]:
            yield name, "missing: the network had this metric before"
        elif share < settings.min_known:
            yield name, f"known for {share:.0%} of the samples"
    new = sorted(name for name, why in meta.left_out.items() if why == "no metric of the network")
    if like is not None and new:
        yield brief(new), "new: the network did not have this metric before"


def _ranges(meta: Meta, seen: _Seen, settings: CheckSettings) -> Found:
    for name, count in dict(meta.details.get("infinite", {})).items():
        yield name, f"{count} infinite values, treated as unknown"
    for name, count in seen.outside.items():
        if count:
            bounds = next(bounds for glob, bounds in settings.bounds.items() if matches(name, [glob]))
            yield name, f"{count} of {seen.known[name]} values are outside of {bounds[0]:g} to {bounds[-1]:g}"


def _time_order(meta: Meta, seen: _Seen) -> Found:
    for key, what in (
        ("out_of_order", "out of order"),
        ("duplicates", "with the device and time of another row"),
    ):
        if count := int(meta.details.get(key, 0)):
            yield "samples", f"{count} of {meta.samples + count} {what}"
    if len(seen.spans) < 3:
        return
    first, last = (np.median([span[edge] for span in seen.spans.values()]) for edge in (0, 1))
    for device, (start, end) in seen.spans.items():
        if end < first or start > last:
            yield device, f"its samples, {_date(start)} to {_date(end)}, are outside of those of the other devices"


def _gaps(seen: _Seen, settings: CheckSettings) -> Found:
    for device, (count, silence) in seen.gaps.items():
        start, end = seen.spans[device]
        share = silence / max(1, end - start)
        if share > settings.max_gap_share:
            total = format_duration(max(1, round(silence / 10**9)) * 10**9)
            yield device, f"no data for {share:.0%} of its time ({count} gaps, {total} in all)"


def _has_values(table: pa.Table, metrics: Iterable[str]) -> bool:
    return any(np.isfinite(table.column(name).to_numpy()).any() for name in metrics)


def _duplicate_devices(seen: _Seen) -> Found:
    by_name, by_print = defaultdict(list), defaultdict(list)
    for device, mark in seen.prints.items():
        by_name[device.strip().lower().split(".")[0] if not _is_address(device) else device].append(device)
        by_print[mark].append(device)
    for devices in by_print.values():
        if len(devices) > 1:
            yield brief(devices), "the same telemetry under several names"
    for devices in by_name.values():
        if len(devices) > 1 and len({seen.prints[device] for device in devices}) > 1:
            yield brief(devices), "names that look like one device"


def _is_address(device: str) -> bool:
    return device.replace(".", "").replace(":", "").isdigit()


def _label_delay(dataset: Dataset, seen: _Seen) -> Found:
    last = max((end for _, end in seen.spans.values()), default=0)
    if message := late_labels(starts_of(dataset.incidents()), last):
        yield "incidents", message
    if found := seen.shift.hours():
        hours, count = found
        yield (
            "incidents",
            f"the telemetry is disturbed {abs(hours)}h {'after' if hours > 0 else 'before'} them "
            f"({count} incidents): is the log in another time zone? Set telemetry.incidents.timezone",
        )


def _leakage(dataset: Dataset, seen: _Seen, settings: CheckSettings) -> Found:
    incidents = dataset.incidents()
    interval = round(dataset.meta.interval_seconds * SECOND)
    yield from clock_findings(starts_of(incidents), incidents.column(DEVICE).to_pylist(), interval)
    if not seen.near:
        return
    values, positive = np.concatenate(seen.near), np.concatenate(seen.positive)
    for index, name in enumerate(dataset.meta.metrics):
        area = too_good(values[:, index], positive)
        if area >= settings.too_good:
            yield name, f"alone it predicts the incidents with a ROC AUC of {area:.3f}; does it leak the label?"


def _date(nanoseconds: int) -> str:
    return str(np.datetime64(nanoseconds, "ns").astype("datetime64[m]"))
