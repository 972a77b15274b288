"""What is in the state of partitions, and of one process that was fed the same samples."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netops.serving.engine.champion import FixedModel
from netops.serving.engine.lease import Claim
from netops.serving.engine.pipeline import Pipeline
from netops.serving.engine.runtime import Runtime
from tests.serving.samples import body


def contents(runtime: Runtime) -> dict[str, Any]:
    """Windows, clock, risk and alerts of each device."""
    state, found = runtime.state, {}
    for code in state.table.codes():
        name = str(state.table.names[code])
        risk = float(state.risk[code])
        found[name] = {
            "windows": state.engine.save(code),
            "newest": int(state.clock.newest[code]),
            "samples": int(state.clock.sample_counts[code]),
            "silent": bool(state.clock.silent[code]),
            "risk": risk if risk == risk else None,
            "alerts": [],
        }
    # The peak of an open alert is stored with its next change.
    alerts = {alert.id: alert for alert in (*runtime.store.recent(limit=100_000), *runtime.active_alerts.current())}
    for alert in alerts.values():
        about = (
            alert.id,
            alert.kind,
            alert.opened,
            tuple(alert.renewed),
            alert.ended,
            alert.end_reason,
            alert.peak,
        )
        reasons = tuple((reason.feature, reason.contribution, reason.text) for reason in alert.reasons)
        found[str(alert.device)]["alerts"].append((*about, reasons))
    for one in found.values():
        one["alerts"].sort()
    return found


def reference(model: Path, folder: Path, samples: Sequence[dict], size: int) -> dict[str, Any]:
    """The state of one process after the same samples."""
    runtime = Runtime("demo", FixedModel("v1", model), folder=folder)
    pipeline = Pipeline(runtime)
    for start in range(0, len(samples), size):
        pipeline.run(body(*samples[start : start + size]))
    found = contents(runtime)
    runtime.close()
    return found


def partitions(model: Path, state: Path) -> tuple[dict[str, Any], dict[int, int]]:
    """The states of all partitions together, and the offset of each."""
    found: dict[str, Any] = {}
    offsets: dict[int, int] = {}
    for folder in sorted((state / "partitions").iterdir()):
        lease = Claim(folder, 60).attempt()
        assert lease is not None, f"{folder} is still in use"
        runtime = Runtime("demo", FixedModel("v1", model), folder=lease.folder, lease=lease)
        own = contents(runtime)
        assert not set(own) & set(found), "a device is in two partitions"
        found |= own
        offsets[int(folder.name.rpartition("-")[2])] = runtime.offset
        runtime.close()
    return found, offsets


def differing(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """The fields that differ, by device."""
    result = {}
    for name in sorted({*found, *expected}):
        one, other = found.get(name, {}), expected.get(name, {})
        fields = {key for key in {*one, *other} if one.get(key) != other.get(key)}
        if fields:
            result[name] = {key: (one.get(key), other.get(key)) for key in fields if key != "windows"} or "windows"
    return result
