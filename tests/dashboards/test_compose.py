"""``compose.yaml``, checked without Docker: pinned images, mounts that exist, names and ports that fit together."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from netops import __version__
from tests.dashboards.processes import DASHBOARDS

COMPOSE = yaml.safe_load((DASHBOARDS / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
# What the Compose Specification has at the top and in a service, as far as it is used here.
TOP = {"name", "services", "networks", "volumes", "secrets"}
KEYS = {
    "image", "build", "command", "environment", "volumes", "ports", "healthcheck", "restart", "networks",
    "depends_on", "extra_hosts", "secrets",
}  # fmt: skip


def each_service() -> Any:
    """Run a test for each service."""
    return pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


def test_keys_are_those_of_the_specification() -> None:
    assert COMPOSE.keys() <= TOP
    for name, service in SERVICES.items():
        assert service.keys() <= KEYS, name


@each_service()
def test_images_are_pinned_and_named_without_a_registry(service: dict[str, Any]) -> None:
    name, _, tag = service["image"].partition(":")
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), service["image"]
    assert len(name.split("/")) <= 2
    assert "." not in name.split("/")[0], "no registry in the name"


def test_the_server_is_of_this_version() -> None:
    assert SERVICES["netops"]["image"] == f"netops:{__version__}"


def test_dashboards_are_made_for_the_grafana_that_shows_them() -> None:
    from importlib.metadata import version

    made_for = version("grafana-foundation-sdk").partition("!")[2]
    assert SERVICES["grafana"]["image"] == f"grafana/grafana:{made_for}"


@each_service()
def test_ports_are_open_to_this_machine_alone(service: dict[str, Any]) -> None:
    for port in service["ports"]:
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


@each_service()
def test_what_is_mounted_exists(service: dict[str, Any]) -> None:
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("."):
            assert (DASHBOARDS / source).exists(), volume
            assert volume.endswith(":ro"), f"{volume}: containers do not write into the repository"
        elif not source.startswith("$"):
            assert source in COMPOSE["volumes"], volume


@each_service()
def test_names_are_declared(service: dict[str, Any]) -> None:
    assert set(service["networks"]) <= COMPOSE["networks"].keys()
    assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()
    assert set(service.get("depends_on", [])) <= SERVICES.keys()


def test_services_find_each_other() -> None:
    listening = {(name, int(port.split(":")[2])) for name, service in SERVICES.items() for port in service["ports"]}
    prometheus = yaml.safe_load((DASHBOARDS / "prometheus/prometheus.yml").read_text())
    groups = [group for job in prometheus["scrape_configs"] for group in job.get("static_configs", [])]
    groups += prometheus["alerting"]["alertmanagers"][0]["static_configs"]
    asked = [target for group in groups for target in group["targets"]]
    sources = yaml.safe_load((DASHBOARDS / "grafana/provisioning/datasources/prometheus.yaml").read_text())
    asked += [urlsplit(source["url"]).netloc for source in sources["datasources"]]
    assert {(target.split(":")[0], int(target.split(":")[1])) for target in asked} <= listening


def test_the_token_is_where_it_is_looked_for() -> None:
    prometheus = yaml.safe_load((DASHBOARDS / "prometheus/prometheus.yml").read_text())
    secret = prometheus["scrape_configs"][0]["authorization"]["credentials_file"]
    assert secret.removeprefix("/run/secrets/") in SERVICES["prometheus"]["secrets"]
    assert COMPOSE["secrets"]["netops-token"] == {"environment": "NETOPS_TOKEN"}


def test_grafana_begins_with_a_dashboard_that_exists() -> None:
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    mounts = dict(volume.split(":")[1::-1] for volume in SERVICES["grafana"]["volumes"])
    folder, _, name = home.rpartition("/")
    assert (DASHBOARDS / mounts[folder] / name).exists()
