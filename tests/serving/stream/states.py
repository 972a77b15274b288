"""What is in the state of partitions, and of one process that was fed the same samples."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from netops.serving.engine.champion import FixedModel
from netops.serving.engine.pipeline import Pipeline
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.shared_state import FolderState, SharedState, StateLease
from netops.serving.stream.object_store.address import parse_state
from netops.serving.stream.object_store.client import ObjectStore
from netops.serving.stream.object_store.state import ObjectState
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


def partitions(model: Path, state: Path | str) -> tuple[dict[str, Any], dict[int, int]]:
    """The states of all partitions together, and the offset of each."""
    found: dict[str, Any] = {}
    offsets: dict[int, int] = {}
    for name, lease in sorted(_released(state)):
        runtime = Runtime("demo", FixedModel("v1", model), folder=lease.folder, lease=lease)
        own = contents(runtime)
        assert not set(own) & set(found), "a device is in two partitions"
        found |= own
        offsets[int(name.rpartition("-")[2])] = runtime.offset
        runtime.close()
    return found, offsets


def _released(state: Path | str) -> Iterator[tuple[str, StateLease]]:
    """The states, none of which may be in use."""
    if isinstance(state, Path):
        states: SharedState = FolderState(state / "partitions")
        names = {folder.name for folder in (state / "partitions").iterdir()}
    else:
        address = parse_state(state)
        store = ObjectStore(address)
        states = ObjectState(store, Path(mkdtemp()), 1 << 26)
        keys = store.keys(address.key("partitions/"))
        names = {key.removeprefix(address.key("partitions/")).partition("/")[0] for key in keys}
    for name in names:
        claim, end = states.claim(name, 60), time.monotonic() + 10
        while (lease := claim.attempt()) is None:
            assert time.monotonic() < end, f"{name} is still in use"
            time.sleep(0.02)
        yield name, lease


def differing(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """The fields that differ, by device."""
    result = {}
    for name in sorted({*found, *expected}):
        one, other = found.get(name, {}), expected.get(name, {})
        fields = {key for key in {*one, *other} if one.get(key) != other.get(key)}
        if fields:
            result[name] = {key: (one.get(key), other.get(key)) for key in fields if key != "windows"} or "windows"
    return result
