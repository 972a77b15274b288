"""The shipped Prometheus and Alertmanager configurations, on other addresses and with a quicker clock."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from netops.config.durations import parse_duration
from tests.dashboards.processes import DASHBOARDS, free_port, running

#: Times that are waited for; windows inside PromQL stay as they are.
WAITS = ("scrape_interval", "evaluation_interval", "for", "group_wait", "group_interval", "repeat_interval")
SPEED = 15


def quicker(value: Any) -> Any:
    """Divide every time that is waited for by ``SPEED``."""
    if isinstance(value, list):
        return [quicker(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {key: _shorter(part) if key in WAITS else quicker(part) for key, part in value.items()}


def _shorter(text: str) -> str:
    return f"{max(parse_duration(text) // SPEED // 1_000_000, 100)}ms"


def write_prometheus(folder: Path, targets: dict[str, str], alertmanager: str | None, token: Path) -> Path:
    """Write the shipped configuration for other targets (job → address)."""
    shutil.copytree(DASHBOARDS / "prometheus" / "rules", folder / "rules")
    for file in (folder / "rules").glob("*.yml"):
        file.write_text(yaml.safe_dump(quicker(yaml.safe_load(file.read_text()))))
    config = quicker(yaml.safe_load((DASHBOARDS / "prometheus" / "prometheus.yml").read_text()))
    for job in config["scrape_configs"]:
        job.pop("file_sd_configs", None)
        labels = {"network": "demo"}
        job["static_configs"] = [{"targets": [urlsplit(targets[job["job_name"]]).netloc], "labels": labels}]
        if "authorization" in job:
            job["authorization"]["credentials_file"] = str(token)
    managers = [{"targets": [urlsplit(alertmanager).netloc] if alertmanager else []}]
    config["alerting"]["alertmanagers"] = [{"static_configs": managers}]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    return path


@contextmanager
def prometheus(
    program: str, folder: Path, targets: dict[str, str], alertmanager: str | None = None, token: str = "secret"
) -> Iterator[str]:
    """Run Prometheus on the shipped configuration; give its address."""
    folder.mkdir()
    (folder / "token").write_text(token)
    config = write_prometheus(folder, targets, alertmanager, folder / "token")
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={urlsplit(url).netloc}",
        "--log.level=warn",
    ]
    with running(command, folder, f"{url}/-/ready"):
        yield url


@contextmanager
def alertmanager(program: str, folder: Path, receiver: str) -> Iterator[str]:
    """Run Alertmanager on the shipped configuration, telling ``receiver``; give its address."""
    folder.mkdir()
    config = quicker(yaml.safe_load((DASHBOARDS / "alertmanager" / "alertmanager.yml").read_text()))
    for each in config["receivers"]:
        for hook in each["webhook_configs"]:
            hook["url"] = receiver + urlsplit(hook["url"]).path
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={path}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={urlsplit(url).netloc}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    with running(command, folder, f"{url}/-/ready"):
        yield url
