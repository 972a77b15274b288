"""What is read back of a snapshot: the clock of the network, and frames that are not what was written."""

import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from netops.serving.engine.snapshot import FILE, FRAME, MAGIC
from tests.serving.samples import body, fleet


def saved(start: Callable[..., Any]) -> tuple[Any, Path]:
    """A pipeline of three devices that has saved its state, and the file."""
    pipeline = start()
    pipeline.run(body(*fleet(3, 20)))
    pipeline.runtime.save()
    return pipeline, pipeline.runtime.folder / FILE


def frames(path: Path) -> Iterator[tuple[int, bytes]]:
    """Give each frame: where its content begins, and the content."""
    raw, at = path.read_bytes(), len(MAGIC)
    while at < len(raw):
        size, _ = FRAME.unpack_from(raw, at)
        at += FRAME.size
        yield at, raw[at : at + size]
        at += size


def test_the_network_time_is_restored(start) -> None:
    pipeline, _ = saved(start)
    clock = pipeline.runtime.state.clock
    before = clock.now, clock.arrivals
    again = start().runtime.state.clock
    assert (again.now, again.arrivals) == before
    assert before[1] == 60


def test_a_device_that_is_missing_is_noticed_though_each_frame_is_sound(start) -> None:
    _, path = saved(start)
    changed = MAGIC
    for _, content in frames(path):
        found = msgspec.msgpack.decode(content)
        if isinstance(found, list) and found:
            content = msgspec.msgpack.encode(found[1:])
        changed += FRAME.pack(len(content), zlib.crc32(content)) + content
    path.write_bytes(changed)
    assert len(start().runtime.state.table) == 0
    assert path.with_suffix(".damaged").exists()


def test_a_flipped_bit_of_a_name_is_noticed_though_it_can_be_decoded(start) -> None:
    _, path = saved(start)
    raw = bytearray(path.read_bytes())
    at, content = list(frames(path))[1]
    raw[at + content.index(b"\xa2d1") + 2] ^= 0x04  # a string of two in MessagePack
    path.write_bytes(raw)
    assert msgspec.msgpack.decode(raw[at : at + len(content)])[1]["name"] == "d5"
    assert len(start().runtime.state.table) == 0
    assert path.with_suffix(".damaged").exists()


def test_a_snapshot_is_on_disk_before_it_replaces_the_last_one(start, monkeypatch):
    pipeline = start()
    pipeline.run(body(*fleet(3, 20)))
    done, fsync, replace = [], os.fsync, os.replace

    def synced(handle):
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")
        fsync(handle)

    def replaced(draft, path):
        done.append(f"replace {os.path.basename(path)}")
        replace(draft, path)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    pipeline.runtime.save()
    at = done.index(f"replace {FILE}")
    assert "file" in done[:at]
    assert done[at + 1] == "folder"
