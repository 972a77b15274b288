"""The dashboards: what is committed is what the code makes, and all of it is well formed."""

import json
import re
from pathlib import Path

import pytest
import yaml

pytest.importorskip("grafana_foundation_sdk")

from dashboards import queries
from dashboards.grafana.__main__ import FOLDER, generate, main
from tests.dashboards.boards import annotations_of, panels_of, targets_of, variables_of
from tests.dashboards.processes import DASHBOARDS

BOARDS = sorted(FOLDER.glob("*.json"))
GRAFANA = DASHBOARDS / "grafana" / "provisioning"


def test_committed_json_is_what_the_code_makes() -> None:
    committed = {path.name: path.read_text() for path in BOARDS}
    assert committed == generate(), "run: python -m dashboards.grafana"


def test_dashboards_that_are_no_more_go(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("{}")
    main(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(generate())


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_well_formed(path: Path) -> None:
    board = json.loads(path.read_text())
    assert board["uid"] == path.stem
    assert 2 <= len(board["uid"]) <= 40
    assert [note["name"] for note in annotations_of(board)] == ["Alerts", "Promotions"]
    sources = {
        source["uid"]
        for source in yaml.safe_load((GRAFANA / "datasources/prometheus.yaml").read_text())["datasources"]
    }
    for panel in panels_of(board):
        assert panel["datasource"]["uid"] in sources
        assert panel["title"]
        assert panel["description"], f"{panel['title']}: says nothing of itself"
        assert targets_of(panel), f"{panel['title']}: asks nothing"
        assert panel["type"] in ("table", "heatmap") or panel["fieldConfig"]["defaults"]["unit"]


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_panels_do_not_overlap(path: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(path.read_text())["panels"]:
        index = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(index["x"], index["x"] + index["w"])
            for y in range(index["y"], index["y"] + index["h"])
        }
        assert index["x"] + index["w"] <= 24, panel["title"]
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_variable_that_is_used_is_there(path: Path) -> None:
    board = json.loads(path.read_text())
    asked = " ".join(target["expr"] for panel in panels_of(board) for target in targets_of(panel))
    asked += " ".join(note["expr"] for note in annotations_of(board))
    used = {name for name in re.findall(r"\$(\w+)", asked) if not name.startswith("__")}
    assert used <= {variable["name"] for variable in variables_of(board)}


def test_every_query_is_shown_somewhere() -> None:
    shown = {
        target["expr"]
        for path in BOARDS
        for panel in panels_of(json.loads(path.read_text()))
        for target in targets_of(panel)
    }
    made = [value for value in vars(queries).values() if isinstance(value, queries.Query)]
    assert {query.expr for query in made} <= shown


def test_links_between_dashboards_lead_somewhere() -> None:
    texts = [path.read_text() for path in (*BOARDS, DASHBOARDS / "prometheus/rules/alerts.yml")]
    linked = {uid for text in texts for uid in re.findall(r"/d/([\w-]+)", text)}
    assert linked
    assert linked <= {path.stem for path in BOARDS}


def test_dashboards_are_provisioned_from_where_compose_puts_them() -> None:
    provider = yaml.safe_load((GRAFANA / "dashboards/netops.yaml").read_text())["providers"][0]
    volumes = yaml.safe_load((DASHBOARDS / "compose.yaml").read_text())["services"]["grafana"]["volumes"]
    assert f"./grafana/json:{provider['options']['path']}:ro" in volumes
