"""The run report: whole, self-contained, accessible, and honest about what it does not know."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from netops.alerting.matching import MISSED
from netops.alerting.resampling import Interval
from netops.alerting.settings import AlertSettings
from netops.config.durations import MINUTE
from netops.evaluation.assessment import Assessment, assess, assess_baseline
from netops.evaluation.evaluate import evaluate
from netops.evaluation.other_thresholds import other_thresholds
from netops.evaluation.promotion import Decision
from netops.evaluation.report.calibration import calibration_words
from netops.evaluation.report.cautions import cautions, near_perfect
from netops.evaluation.report.episodes import FALSE_ALARM, MISS, WARNED, choose_episodes, extremes, with_metrics
from netops.evaluation.report.facts import lead_steps
from netops.evaluation.report.groups import Ranges
from netops.evaluation.report.importance import importance_of
from netops.evaluation.report.leaderboard import recall_range
from netops.evaluation.report.matched_alerts import MatchedAlerts
from netops.evaluation.report.reasons import reasons_of
from netops.evaluation.report.svg import Drawing, nice_ticks, thinned
from netops.evaluation.report.words import closely, compact, counted, lasting, number, percent, significant, spread
from netops.evaluation.report.write import write_report
from netops.evaluation.selection import choose_best
from netops.models.card import read_card
from netops.models.onnx_file import save_model
from netops.models.platt import Platt, Uncalibrated
from netops.telemetry.dataset import GENERATED
from netops.training.examples import Examples, prepare_examples
from netops.training.fitting import Job, fit, risks_path
from netops.training.settings import TrainingSettings
from netops.training.train import split_risks
from tests.training.synthetic import METRICS, make_dataset

HORIZON = 5 * MINUTE
SETTINGS = TrainingSettings(horizon=HORIZON, cross_fit="never")
VOID = {"meta", "br", "link", "img"}


class Page(HTMLParser):
    """What a report holds, collected while it is read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())


class Run:
    """A finished training of two models, without MLRun."""

    def __init__(self, folder: Path) -> None:
        self.examples: Examples = prepare_examples(make_dataset(folder / "features"), SETTINGS, folder)
        self.models = {name: folder / "models" / name for name in ("xgboost", "sklearn")}
        for (_, out), trees in zip(self.models.items(), (20, 2), strict=True):
            fit(Job(str(self.examples.folder), "demo", "xgboost", {"n_estimators": trees}, 0, 1, str(out)))
        self.alerting = AlertSettings(false_alarms_per_device_week=5.0)
        self.baseline, assessment, self.baseline_risks = assess_baseline(self.examples, self.alerting)
        self.assessments: dict[str, Assessment] = {name: self._judge(name) for name in self.models}
        self.assessments["static_threshold"] = assessment
        risks = {name: split_risks(self.examples, model, "validation") for name, model in self.models.items()}
        self.choice = choose_best(self.examples.evaluation_split("validation"), risks)
        self.decision = Decision(True, ("first model of the network",))

    def _judge(self, name: str) -> Assessment:
        parts = (split_risks(self.examples, self.models[name], split) for split in ("validation", "test"))
        calibration = Platt.from_dict(read_card(self.models[name]).calibration)
        return assess(self.examples, *parts, self.alerting, calibration=calibration)

    def assessment_at(self, threshold: float) -> Assessment:
        """The best model, had it another threshold."""
        best = self.assessments[self.choice.best]
        policy = replace(best.policy, threshold=threshold)
        return replace(
            best, policy=policy, evaluation=evaluate(self.examples.evaluation_split("test"), self.risks, policy)
        )

    @property
    def risks(self):
        return split_risks(self.examples, self.models[self.choice.best], "test")

    def matched(self, threshold: float) -> MatchedAlerts:
        return MatchedAlerts.of(
            self.examples.evaluation_split("test"), self.risks, self.assessment_at(threshold).policy
        )

    def write(self, path: Path, **changes) -> str:
        keys = {
            "network": "demo",
            "examples": self.examples,
            "models": self.models,
            "assessments": self.assessments,
            "choice": self.choice,
            "decision": self.decision,
            "baseline": self.baseline,
            "baseline_risks": self.baseline_risks,
        }
        return write_report(path, **keys | changes).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def html(run: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    return run.write(tmp_path_factory.mktemp("page") / "report.html", run_id="abc123")


def test_it_needs_nothing_else(html: str) -> None:
    page = Page(html)
    assert len(html) < 3_000_000
    assert not {"script", "link", "iframe", "img", "object"} & {tag for tag, _ in page.tags}
    assert "url(" not in html
    assert "@import" not in html
    assert "http:" not in html
    assert "https:" not in html
    assert page.open == []


def test_links_lead_somewhere(html: str) -> None:
    page = Page(html)
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    wanted = [str(attributes["href"]) for tag, attributes in page.tags if tag == "a"]
    assert wanted
    assert all(href.startswith("#") and href[1:] in names for href in wanted)
    for _, attributes in page.tags:
        for key in ("aria-labelledby",):
            assert set((attributes.get(key) or "").split()) <= set(names)


def test_it_can_be_read_without_eyes(html: str) -> None:
    page = Page(html)
    assert ("html", {"lang": "en"}) in page.tags
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert all(one.get("role") == "img" or one.get("aria-hidden") == "true" for one in drawings)
    assert sum(one.get("role") == "img" for one in drawings) == html.count("<desc ")
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")


@pytest.mark.parametrize(
    "section", ["decision", "leaderboard", "curves", "warned", "missed", "false", "importance", "data", "model"]
)
def test_it_has_every_section(html: str, section: str) -> None:
    assert f'<h2 id="{section}">' in html


def test_metrics_are_shown_with_their_sample_sizes(run: Run, html: str) -> None:
    words, found = Page(html).words, run.assessments[run.choice.best].evaluation.figures
    assert f"base rate {number(found.base_rate)}" in words
    assert f"{found.incidents_warned} of {counted(found.incidents, 'incident')}" in words
    assert f"{counted(found.false_alarms, 'alarm')} in {number(found.device_days)} device-days" in words
    assert "static thresholds" in words
    assert "first model of the network" in words
    assert "abc123" in words
    assert "The kind of these incidents is not known" in words
    for caution in cautions(run.assessments, run.choice):
        assert " ".join(caution.split()) in words


def test_the_report_describes_the_calibration_data(run: Run, html: str) -> None:
    words, card = Page(html).words, read_card(run.models[run.choice.best])
    evaluation = run.assessments[run.choice.best].evaluation
    assert f"{card.calibration['rows']:,} samples of the validation split" in words
    assert f"{card.calibration['positives']:,} of them positive" in words
    assert f"Calibration error {significant(evaluation.reliability.expected_calibration_error)}" in words
    assert f"of the risk {significant(evaluation.uncalibrated.expected_calibration_error)}" in words
    assert "line thin raw" in html


def test_an_invalid_calibration_is_reported(run: Run) -> None:
    name = run.choice.best
    found = run.assessments[name]
    split, policy = run.examples.evaluation_split("test"), found.policy
    assert not [caution for caution in cautions(run.assessments, run.choice) if "ranking" in caution]
    worse = evaluate(split, run.risks, policy, probabilities=Platt(1.0, 4.0, 1, 1).apply(run.risks))
    (caution,) = [
        caution
        for caution in cautions(run.assessments | {name: replace(found, evaluation=worse)}, run.choice)
        if "ranking" in caution
    ]
    assert caution.startswith(f"Probabilities are {number(worse.reliability.expected_calibration_error)} off")
    assert f"the risks were {number(worse.uncalibrated.expected_calibration_error)} before" in caution
    better = evaluate(split, run.risks, policy, probabilities=run.risks)
    assert "before they were calibrated" not in " ".join(
        cautions(run.assessments | {name: replace(found, evaluation=better)}, run.choice)
    )


def test_other_thresholds_are_listed_and_drawn(run: Run, html: str) -> None:
    page, evaluation = Page(html), run.assessments[run.choice.best].evaluation
    rows = other_thresholds(evaluation.to_dict())
    assert [row["in_service"] for row in rows].count(True) == 1
    assert [row["threshold"] for row in rows] == sorted((row["threshold"] for row in rows), reverse=True)
    for row in rows:
        assert closely(row["threshold"]) in page.words
    for key in ("alert-precision", "lead-by-alarms"):
        assert f'<title id="{key}-title">' in html


def test_groups_have_intervals(run: Run, html: str) -> None:
    words, evaluation = Page(html).words, run.assessments[run.choice.best].evaluation
    for name, found in evaluation.groups["company"].items():
        ranges = Ranges.of(found, evaluation.group_intervals["company"][name])
        assert ranges.event_recall
        assert f"{percent(found.event_recall)} {ranges.event_recall}" in words


def test_a_model_without_calibration_says_so(run: Run, tmp_path: Path) -> None:
    found = run.assessments[run.choice.best]
    raw = replace(found, evaluation=evaluate(run.examples.evaluation_split("test"), run.risks, found.policy))
    html = run.write(tmp_path / "r.html", assessments=run.assessments | {run.choice.best: raw})
    assert "line thin raw" not in html
    assert "of the risk: not calibrated" in Page(html).words
    card = read_card(run.models[run.choice.best])
    reason = Uncalibrated("All risks on validation are equal: calibration is not possible.", 12, 3).to_dict()
    caution = calibration_words(card.updated(calibration=reason))
    assert caution == (
        "none, the model has no probability output. All risks on validation are equal: "
        "calibration is not possible. (12 labelled samples)"
    )
    assert "without calibration" in calibration_words(card.updated(calibration={}))


def test_same_run_same_bytes(run: Run, html: str, tmp_path: Path) -> None:
    assert run.write(tmp_path / "again.html", run_id="abc123") == html


def test_names_are_text_not_markup(run: Run, tmp_path: Path) -> None:
    decision = Decision(False, ("<img src=x onerror=alert(1)>",))
    html = run.write(tmp_path / "report.html", network="<script>alert(1)</script>", decision=decision)
    tags = {tag for tag, _ in Page(html).tags}
    assert not {"script", "img"} & tags
    assert "not promoted" in Page(html).words


def test_a_model_that_never_alerts_is_reported(run: Run, tmp_path: Path) -> None:
    silent = run.assessments | {run.choice.best: run.assessment_at(2.0)}
    html = run.write(tmp_path / "r.html", assessments=silent)
    words = Page(html).words
    assert "No incident of the test split was warned of." in words
    assert "No false alarm in the test split." in words
    assert "warned of none of" in words
    assert "at most" in recall_range(silent[run.choice.best].evaluation)


def test_without_the_baseline(run: Run, tmp_path: Path) -> None:
    assessments = {run.choice.best: run.assessments[run.choice.best]}
    choice = replace(run.choice, ahead={})
    path = tmp_path / "r.html"
    html = run.write(path, assessments=assessments, choice=choice, baseline=None, baseline_risks=None)
    assert "Static thresholds" not in Page(html).words.replace("Every model and the static thresholds", "")


def test_no_missed_incident_is_reported(run: Run, tmp_path: Path) -> None:
    name, split = run.choice.best, run.examples.evaluation_split("test")
    oracle, labels_as_risks = tmp_path / "oracle", np.where(split.inside, np.nan, split.labels == 1)
    save_model(
        oracle, (run.models[name] / "model.onnx").read_bytes(), read_card(run.models[name]).updated(version="o")
    )
    np.save(risks_path(run.examples.folder, "o", "test"), labels_as_risks)
    policy = replace(run.assessments[name].policy, for_samples=1)
    assessment = replace(run.assessments[name], policy=policy, evaluation=evaluate(split, labels_as_risks, policy))
    html = run.write(
        tmp_path / "r.html", models=run.models | {name: oracle}, assessments=run.assessments | {name: assessment}
    )
    assert "No missed incident" in Page(html).words
    assert "at least" in recall_range(assessment.evaluation)


# Episodes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.02, 0.3, 0.9])
def test_episodes_are_what_they_claim(run: Run, threshold: float) -> None:
    matched = run.matched(threshold)
    episodes = choose_episodes(run.examples, matched, None)
    lead = matched.matching.lead
    counts = {kind: sum(episode.kind == kind for episode in episodes) for kind in (WARNED, MISS, FALSE_ALARM)}
    observed = matched.split.observed
    assert counts[WARNED] == min(3, int((observed & (lead != MISSED)).sum()))
    assert counts[MISS] == min(3, int((observed & (lead == MISSED)).sum()))
    assert counts[FALSE_ALARM] == min(3, int((matched.matching.kind == 0).sum()))
    for episode in episodes:
        assert episode.low <= episode.times[0]
        assert episode.times[-1] <= episode.high
        assert len(episode.risks) == len(episode.times)
        if episode.kind == WARNED:
            assert any(episode.warned_from <= opened < episode.at for opened, _ in episode.alerts)
        if episode.kind == MISS:
            assert not any(episode.warned_from <= opened < episode.at for opened, _ in episode.alerts)
        if episode.kind == FALSE_ALARM:
            assert episode.at in [opened for opened, _ in episode.alerts]


def test_the_earliest_warning_comes_first(run: Run) -> None:
    episodes = choose_episodes(run.examples, run.matched(0.1), None)
    opened = [
        episode.at - min(low for low, _ in episode.alerts if low >= episode.warned_from)
        for episode in episodes
        if episode.kind == WARNED
    ]
    assert opened == sorted(opened, reverse=True)


def test_telemetry_and_reasons_are_those_of_the_device(run: Run) -> None:
    episodes = choose_episodes(run.examples, run.matched(0.1), None)
    episodes = with_metrics(run.examples, episodes, [["cpu"] for _ in episodes])
    whole = run.examples.labelled[-1].dataset
    table = next(iter(whole.tables(["device", "timestamp", "cpu"]))).to_pandas()
    checked = 0
    for episode in episodes:
        mine = table[table.device == episode.device]
        if len(mine):
            selected = mine[mine.timestamp.astype("int64").between(episode.low, episode.high)]
            np.testing.assert_array_equal(selected.cpu, episode.metrics["cpu"])
            checked += 1
    assert checked
    reasons = reasons_of(run.examples, run.models[run.choice.best], episodes)
    assert all(why for _, why in reasons)
    assert {name for _, why in reasons for name, *_ in why} <= set(run.examples.names)


def test_extremes_are_the_ends_and_the_middle() -> None:
    assert extremes(np.array([5, 4, 3, 2, 1])) == [5, 3, 1]
    assert extremes(np.array([7, 8])) == [7, 8]
    assert extremes(np.zeros(0, np.int64)) == []


# Figures ----------------------------------------------------------------------------------------------------


def test_what_rises_before_incidents_is_important(run: Run) -> None:
    split = run.examples.evaluation_split("validation")
    found = importance_of(run.examples, run.models[run.choice.best], split, METRICS)
    assert found is not None
    assert next(iter(found.metrics)) == "cpu"
    assert found.features["cpu_mean_1m"] > 0.05
    assert abs(found.features["loss_max_1m"]) < 0.05
    assert found.positives < found.samples
    assert set(found.features) == set(run.examples.names)


def test_lead_steps_begin_at_the_recall() -> None:
    seconds, share = lead_steps(np.array([30.0, 10.0]), 4)
    assert seconds.tolist() == [0, 10, 30]
    assert share.tolist() == [0.5, 0.25, 0]


def test_thinning_keeps_peaks_and_gaps() -> None:
    y = np.sin(np.arange(10_000) / 500)
    y[4_321], y[7_000] = 9, np.nan
    x, selected = thinned(np.arange(10_000.0), y)
    assert len(x) < 1_000
    assert np.nanmax(selected) == 9
    assert np.isnan(selected).sum() == 1
    assert (np.diff(x) > 0).all()


def test_lines_break_where_values_are_missing() -> None:
    drawing = Drawing("a", "b", 10, 10, "k")
    drawing.path(np.arange(5.0), np.array([1, 2, np.nan, 3, 4.0]), "line")
    assert drawing.render().count("M") == 2


def test_words_in_drawings_are_escaped() -> None:
    drawing = Drawing("<t>", "a & b", 10, 10, "k")
    drawing.text(1, 1, "<script>")
    drawing.box(1, 1, 2, 2, "bar", tip='"><script>')
    assert "<script>" not in drawing.render()
    assert "<t>" not in drawing.render()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 0.57, [0, 0.2, 0.4]), (3, 3, [3]), (float("nan"), 1, [float("nan")])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    np.testing.assert_allclose(nice_ticks(low, high), expected)


# Words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (0.0, "0"),
        (0.98765, "0.988"),
        (12.0, "12.0"),
        (499.3, "499"),
        (1234.0, "1,234"),
        (-0.113, "−0.113"),
        (2e-5, "2e−05"),
        (None, "–"),
        (float("nan"), "–"),
        (float("inf"), "–"),
    ],
)
def test_numbers(value: float | None, written: str) -> None:
    assert number(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.8, "80%"), (1.0, "100%"), (0.9999, ">99.9%"), (0.0001, "<0.1%"), (0.143, "14.3%"), (0, "0%"), (None, "–")],
)
def test_shares(value: float | None, written: str) -> None:
    assert percent(value) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (348, "5 min 48 s"),
        (3600, "1 h"),
        (90_061, "1 d 1 h"),
        (0.24, "0.24 s"),
        (0, "0 s"),
        (-60, "−1 min"),
        (None, "–"),
    ],
)
def test_durations(seconds: float | None, written: str) -> None:
    assert lasting(seconds) == written


def test_intervals_without_width_are_not_shown() -> None:
    assert spread(Interval(0.0, 0.0)) == ""
    assert spread(Interval(float("nan"), 1.0)) == ""
    assert spread(Interval(0.25, 0.5), percent) == "25% to 50%"


@pytest.mark.parametrize(
    ("value", "written"), [(14_445_703, "14.4M"), (788_020, "788k"), (9_999, "9,999"), (0.5, "0.500")]
)
def test_large_numbers_in_little_room(value: float, written: str) -> None:
    assert compact(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.000445, "0.000445"), (0.00217, "0.00217"), (0.5, "0.500"), (0.0, "0"), (None, "–"), (float("nan"), "–")],
)
def test_small_numbers_keep_their_digits(value: float | None, written: str) -> None:
    assert significant(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.943688, "0.9437"),
        (0.999971234, "0.99997123"),
        (0.9951, "0.995100"),
        (1.0, "1"),
        (2.0, "2"),
        (0.005, "0.005"),
        (3e-7, "3e-07"),
        (None, "–"),
    ],
)
def test_thresholds_near_one_are_distinguishable(value: float | None, written: str) -> None:
    assert closely(value) == written


@pytest.mark.parametrize(
    ("average_precision", "source", "doubted"),
    [(0.99, "t.csv", True), (0.9, "t.csv", False), (float("nan"), "t.csv", False), (0.99, GENERATED, False)],
)
def test_figures_that_are_too_good_are_doubted(
    run: Run, average_precision: float, source: str, doubted: bool
) -> None:
    assessment = run.assessments[run.choice.best]
    figures = replace(assessment.evaluation.figures, average_precision=average_precision)
    assert bool(near_perfect(figures, source)) is doubted
    shown = replace(assessment, evaluation=replace(assessment.evaluation, figures=figures))
    listed = cautions(run.assessments | {run.choice.best: shown}, run.choice, source)
    assert (near_perfect(figures, source) in listed) is doubted
