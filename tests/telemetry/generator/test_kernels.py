import os
from pathlib import Path

from netops.telemetry.generator.kernels import forget_outdated


def test_kernels_older_than_any_source_are_forgotten(tmp_path: Path) -> None:
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    for name, time in (("a.py", 100), ("b.py", 200), ("__pycache__/old.nbi", 150), ("__pycache__/new.nbi", 250)):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (time, time))
    assert forget_outdated(tmp_path) == 1
    assert [path.name for path in cache.iterdir()] == ["new.nbi"]


def test_folder_without_kernels_is_fine(tmp_path: Path) -> None:
    assert forget_outdated(tmp_path) == 0
