"""Reads dashboards as Grafana does: panels, variables, annotations, and queries with the variables filled in."""

import re
from typing import Any


def panels_of(board: dict[str, Any]) -> list[dict[str, Any]]:
    """List the panels, without the rows that head them."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def targets_of(panel: dict[str, Any]) -> list[dict[str, Any]]:
    """List the queries of a panel."""
    return list(panel["targets"])


def variables_of(board: dict[str, Any]) -> list[dict[str, Any]]:
    """List the variables, in the order in which they are asked for."""
    return list(board["templating"]["list"])


def annotations_of(board: dict[str, Any]) -> list[dict[str, Any]]:
    """List the annotations, without the one that every dashboard has."""
    return [note for note in board["annotations"]["list"] if not note.get("builtIn")]


def filled(expr: str, values: dict[str, str]) -> str:
    """Put the values of variables into a query, as Grafana does."""
    values = {"__rate_interval": "1m", **values}
    return re.sub(r"\$(\w+)", lambda found: values[found.group(1)], expr)


def asked_of(query: str) -> tuple[str, str]:
    """Take ``label_values(series, label)`` apart."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    assert found, f"{query}: no query of a variable"
    return found.group(1), found.group(2)
