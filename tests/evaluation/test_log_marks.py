"""Log messages in the figures of a run report."""

from dataclasses import replace

import numpy as np
import pytest

from netops.evaluation.report.episodes import WARNED, Episode
from netops.evaluation.report.log_marks import log_lanes, log_texts
from netops.evaluation.report.telemetry_figure import telemetry_figure
from netops.evaluation.report.write import render
from netops.logs.columns import ERRORS, WARNINGS
from netops.models.card import ModelCard, read_card
from tests.evaluation.test_report import Page
from tests.serving.models import make_model

SECOND, NAN = 10**9, float("nan")
TEXTS = {ERRORS: "", WARNINGS: "", "log_template_aa_count": "link <*> down", "log_template_bb_count": "<b> & 1"}
COUNTS = {
    ERRORS: np.array([0, 2, 0, 0, NAN]),
    WARNINGS: np.zeros(5),
    "log_template_aa_count": np.zeros(5),
    "log_template_bb_count": np.array([1.0, 0, 0, 3, 0]),
}


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    return read_card(make_model(tmp_path_factory.mktemp("model") / "v1"))


def test_severities_and_templates_that_occur_have_a_lane() -> None:
    lanes = log_lanes(TEXTS, COUNTS)
    assert [(lane.name, lane.style, lane.messages) for lane in lanes] == [
        ("errors", "errors", 2),
        ("warnings", "warnings", 0),
        ("template B", "template", 4),
    ]


def test_messages_that_are_unknown_have_no_lane() -> None:
    assert log_lanes(TEXTS, {name: np.full(5, NAN) for name in TEXTS}) == []
    assert log_lanes({}, {}) == []


def test_many_templates_are_numbered() -> None:
    texts = {f"log_template_{number}_count": "x" for number in range(30)}
    names = [lane.name for lane in log_lanes(texts, {name: np.ones(1) for name in texts})]
    assert (names[0], names[25], names[26]) == ("template A", "template Z", "template 27")


def test_only_a_model_with_logs_has_marks(card: ModelCard) -> None:
    assert log_texts(card) == {}
    logs = {"columns": list(TEXTS), "texts": {"log_template_aa_count": "link <*> down"}}
    assert log_texts(replace(card, logs=logs)) == {
        ERRORS: "",
        WARNINGS: "",
        "log_template_aa_count": "link <*> down",
    }  # type: ignore[arg-type]


def episode(count: int, counts: dict[str, np.ndarray]) -> Episode:
    times = np.arange(count, dtype=np.int64) * 5 * SECOND
    return Episode(
        kind=WARNED,
        device="leaf1",
        at=int(times[-1]),
        low=0,
        high=int(times[-1]),
        note="",
        rows=np.arange(count),
        location={},
        times=times,
        metrics={"latency": np.ones(count)},
        risks=np.zeros(count),
        logs=log_lanes(TEXTS, counts),
    )


def test_each_mark_names_its_messages_and_time() -> None:
    svg = telemetry_figure(episode(5, COUNTS), 0.5, {}, "x", 5)
    assert svg.count('class="log-errors"') == 1
    assert svg.count('class="log-template"') == 2
    assert "2 messages of error or worse, 1970-01-01 00:00:05 UTC" in svg
    assert "3 messages &lt;b&gt; &amp; 1, 1970-01-01 00:00:15 UTC" in svg
    Page(svg)
    without = telemetry_figure(replace(episode(5, COUNTS), logs=[]), 0.5, {}, "x", 5)
    assert "log-" not in without


def test_marks_at_one_point_are_one() -> None:
    svg = telemetry_figure(episode(20_000, {ERRORS: np.ones(20_000)}), 0.5, {}, "x", 5)
    assert 500 < svg.count('class="log-errors"') < 1000
    assert "errors: 20,000" in svg


def test_the_legend_has_the_templates_that_occur() -> None:
    legend = render({"logs": log_lanes(TEXTS, COUNTS)}, "log_legend.html.j2")
    assert Page(legend).words == "template B: <b> & 1"
    assert render({"logs": []}, "log_legend.html.j2").strip() == ""
