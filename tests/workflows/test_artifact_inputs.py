"""Telemetry in a store is brought by MLRun's client of it: here those of files and of HTTP."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from netops.errors import NetopsError
from netops.workflows.stages.artifact_inputs import fetch
from tests.servers import LocalServer

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    (folder / "below").mkdir(parents=True)
    for name in ("a.csv", "b.parquet", "notes.txt", "_incidents.parquet", "below/c.csv"):
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def http(store: Path) -> Iterator[str]:
    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = LocalServer(("127.0.0.1", 0), partial(Handler, directory=str(store)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("address", ["/data/t.csv", "v3io://framesd/a/b", "prometheus+http://prometheus:9090"])
def test_what_a_source_reads_itself_is_left_to_it(address, tmp_path) -> None:
    assert fetch(address, tmp_path) == address


def test_a_folder_is_a_source_of_telemetry(store, tmp_path) -> None:
    downloaded = Path(fetch(f"file://{store}", tmp_path))
    assert downloaded != store
    assert {path.name: path.read_text() for path in downloaded.iterdir()} == {
        "a.csv": "a.csv",
        "b.parquet": "b.parquet",
    }


def test_a_file_is_downloaded(http, tmp_path) -> None:
    downloaded = Path(fetch(f"{http}/a.csv", tmp_path))
    assert (downloaded.name, downloaded.read_text()) == ("a.csv", "a.csv")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("file://{store}/empty", "no CSV or Parquet file there"),
        ("nosuch://bucket/t.csv", "nosuch://bucket/t.csv: cannot be read: "),
        ("file://{store}/gone.csv", "cannot be read"),
    ],
)
def test_a_failed_download_is_one_line(store, tmp_path, address, message) -> None:
    (store / "empty").mkdir()
    with pytest.raises(NetopsError, match=message) as caught:
        fetch(address.format(store=store), tmp_path)
    assert "\n" not in str(caught.value)
