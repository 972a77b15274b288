"""Folders appear whole or not at all."""

from pathlib import Path

import pytest

from netops.errors import UsageError
from netops.telemetry.drafts import draft_folder


def test_a_finished_draft_is_renamed(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with draft_folder(out) as draft:
        (draft / "_meta.json").write_text("1")
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["_meta.json"]
    assert list(out.parent.iterdir()) == [out]


def test_nothing_is_left_of_a_draft_that_failed_and_what_was_there_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "part-00000.parquet").write_text("old")

    def fail() -> None:
        with draft_folder(out) as draft:
            (draft / "part-00000.parquet").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (out / "part-00000.parquet").read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="is a file; name a folder"), draft_folder(tmp_path / "out"):
        pass
