"""Columns of templates keep their names from training to training, and the champion's are counted as well."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from netops.errors import NetopsError
from netops.evaluation.comparison import missing_features
from netops.features.spec import FeatureSpec
from netops.logs.columns import (
    GENERAL,
    NEW_TEMPLATES,
    SINCE_ERROR,
    Carried,
    LogColumns,
    name_templates,
    precursor_column,
    template_column,
)
from netops.logs.tally import Tally
from netops.logs.templates.miner import NEW, Templates
from netops.models.card import ModelCard
from netops.progress import shown_by, silent
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import TelemetrySettings
from netops.training.columns import existing_features, feature_names
from netops.training.examples import prepare_examples
from netops.workflows.stages.log_columns import with_logs
from netops.workflows.stages.preparation import build, spec_for
from tests.logs.test_log_columns import card, data, settings_with

__all__ = ["data"]
#: The columns of earlier versions.
OLD = (*GENERAL[:3], NEW_TEMPLATES, GENERAL[4])
TEXTS = ["fan 3 failed", "link down", "session of user x", "power low now"]


def learned(*texts: str) -> Templates:
    templates = Templates()
    templates.learn(texts)
    return templates


def test_names_do_not_depend_on_the_order_of_learning() -> None:
    one, other = learned(*TEXTS), learned("something else entirely", *reversed(TEXTS))
    for text in TEXTS:
        numbers = [int(templates.find([text])[0]) for templates in (one, other)]
        names = [name_templates(t, [number]) for t, number in zip((one, other), numbers, strict=True)]
        assert names[0] == names[1]
        assert one.key(numbers[0]).startswith(names[0][0].removeprefix("log_template_").removesuffix("_count"))
    assert len({one.key(number) for number in range(len(one))}) == len(one)


def test_words_for_states_are_part_of_the_name() -> None:
    templates = learned("down a b c", "x down b c", "up a b c", "x up b c")
    keys = {templates.key(number) for number in range(len(templates))}
    assert len(keys) == len(templates) >= 2


def test_equal_names_are_longer() -> None:
    templates = learned(*TEXTS)
    key = templates.key(1)
    assert name_templates(templates, [1], [template_column(key[:6])]) == (template_column(key[:7]),)
    taken = [template_column(key[:digits]) for digits in (6, 7, 8)]
    assert name_templates(templates, [1], taken) == (template_column(key[:9]),)


def test_templates_of_the_champion_are_included() -> None:
    templates, champion = learned(*TEXTS[:2]), learned(*TEXTS[1:])
    before = templates.find(TEXTS).tolist()
    assert templates.include(champion, [0, 1]) == [1, 2]
    assert templates.find(TEXTS).tolist() == [*before[:2], 2, NEW]
    again = Templates.from_dict(json.loads(json.dumps(templates.to_dict())))
    assert again.find(TEXTS).tolist() == [*before[:2], 2, NEW]
    assert templates.counts()[2] == 0


def test_selected_templates_keep_the_column_of_the_champion() -> None:
    templates = learned(*TEXTS)
    key = templates.key(1)
    long, old = template_column(key[:9]), "log_template_17_count"
    carried = Carried({long: 1, old: 2, template_column(templates.key(3)[:6]): 3})
    columns = LogColumns.combine(templates, [1, 2], carried, 5)
    assert columns.names[len(GENERAL) :] == (
        long,
        *name_templates(templates, [2]),
        old,
        *name_templates(templates, [3]),
        SINCE_ERROR,
    )
    assert columns.carried == columns.names[-3:-1]
    assert columns.selected == (1, 2, 2, 3)
    assert LogColumns.from_dict(json.loads(json.dumps(columns.to_dict()))).numbers == columns.numbers


def test_cards_that_number_templates_are_read() -> None:
    columns = LogColumns(learned(*TEXTS), (1, 3), 5)
    stored = columns.to_dict()
    for added in ("keys", "carried", "delay", "rare", "interval", "groups"):
        del stored[added]
    names = ["log_template_1_count", "log_template_3_count"]
    stored["columns"] = [*OLD, *names, SINCE_ERROR]
    stored["texts"] = dict(zip(names, ["link down", "power low now"], strict=True))
    found = LogColumns.from_dict(stored)
    assert found.names == (*OLD, *names, SINCE_ERROR)
    assert (found.delay, found.rare) == (0, 1)
    tally = Tally(found)
    tally.add(np.array([1, 2, 3]), np.array([6, 6, 6], np.int8), np.array([-1, 3, 3], np.int32))
    assert tally.take(np.array([4]))[0, :-1].tolist() == [3, 0, 0, 1, 1, 0, 2]
    assert found.numbers == {"log_template_1_count": 1, "log_template_3_count": 3}
    for wrong in ([*OLD, SINCE_ERROR], [*OLD, names[0], names[0], SINCE_ERROR], ["a", *names, SINCE_ERROR]):
        with pytest.raises(NetopsError, match="log columns"):
            LogColumns.from_dict({**stored, "columns": wrong})


def test_groups_are_named_by_their_templates() -> None:
    one, other = learned(*TEXTS), learned("something else entirely", *reversed(TEXTS))
    group, same = (tuple(templates.find(TEXTS[:2]).tolist()) for templates in (one, other))
    name = precursor_column(one, group)
    assert name == precursor_column(other, same)
    assert name != precursor_column(one, group[:1])
    columns = LogColumns.combine(one, [1], Carried({}, {name: group}), 5, precursors=(0, 3))
    own = precursor_column(one, (0, 3))
    assert columns.names[-3:] == (name, own, SINCE_ERROR)
    assert columns.carried == (name,)
    stored = json.loads(json.dumps(columns.to_dict()))
    again = LogColumns.from_dict(stored)
    assert again.groups == {name: group, own: (0, 3)}
    assert again.keys() == columns.keys()
    assert set(columns.keys()) == {*columns.names[-4:-1]}
    equal = LogColumns.combine(one, [1], Carried({}, {name: group}), 5, precursors=group)
    assert equal.names[-2:] == (name, SINCE_ERROR)
    assert equal.carried == ()
    with pytest.raises(NetopsError, match="a template of a group does not exist"):
        LogColumns.from_dict({**stored, "groups": {**stored["groups"], own: [99]}})
    with pytest.raises(NetopsError, match="log columns"):
        LogColumns.from_dict({**stored, "groups": {}})


def champion_of(templates: Templates, selected: tuple[int, ...], numbered: bool = False) -> ModelCard:
    precursors = () if numbered else (0, 1)
    columns = LogColumns.combine(templates, selected, Carried(), 600 * 10**9, precursors=precursors)
    declared = columns.to_dict()
    if numbered:
        own = list(columns.numbers)
        new = {name: f"log_template_{number}_count" for name, number in columns.numbers.items()}
        declared["columns"] = [new.get(name, name) for name in columns.names]
        declared["texts"] = {new[name]: columns.texts()[name] for name in own}
        del declared["keys"], declared["carried"], declared["groups"]
    spec = FeatureSpec(("cpu", *declared["columns"]), (60 * 10**9,), ("mean",))
    features = tuple(f"{name}_mean_1m" for name in declared["columns"])
    return replace(card(declared), spec=spec.to_dict(), features=features, metrics=("cpu", *declared["columns"]))


@pytest.mark.parametrize("numbered", [False, True])
def test_a_champion_with_other_templates_can_be_compared(
    data: tuple[Path, Path], tmp_path: Path, numbered: bool
) -> None:
    source, logs = data
    champion = champion_of(learned("app: no such message", "app: fan 1 failed"), (0, 1), numbered)
    settings = settings_with(logs, "features.windows=[1m,10m]", "logs.max_columns=2")
    dataset = with_logs(ingest([source], tmp_path / "t", TelemetrySettings()), settings, champion=lambda: champion)
    declared = LogColumns.from_dict(dataset.meta.details["logs"])
    counted = pq.read_table(dataset.parts[0])
    texts = declared.texts()
    columns = {text: [name for name in texts if texts[name] == text] for text in texts.values()}
    assert np.nansum(counted.column(columns["app: no such message"][0]).to_numpy()) == 0
    fans = [counted.column(name).to_numpy() for name in columns["app: fan <*> failed"]]
    assert len(fans) == 1 + numbered
    assert all(np.nansum(fan) == logs.read_text().count("fan") for fan in fans)
    assert set(champion.logs["columns"]) <= set(declared.names)
    for group in champion.logs.get("groups", {}):
        assert np.nansum(counted.column(group).to_numpy()) == logs.read_text().count("fan")

    features = build(dataset, tmp_path / "f", spec_for(dataset, settings), settings)
    own = feature_names(features)
    assert not any(name.startswith(carried) for name in own for carried in declared.carried)
    assert set(champion.features) <= set(existing_features(features))
    examples = prepare_examples(features, settings.training, tmp_path / "work")
    assert missing_features(examples, champion) == ()
    assert not set(examples.names) - set(own)


def test_a_champion_with_too_many_templates_is_not_counted(data: tuple[Path, Path], tmp_path: Path) -> None:
    source, logs = data
    champion = champion_of(learned("app: no such message", "app: fan 1 failed"), (0, 1))
    settings = settings_with(logs, "logs.max_columns=1")
    said: list[str] = []
    telemetry = ingest([source], tmp_path / "t", TelemetrySettings())
    with shown_by(silent, said.append):
        dataset = with_logs(telemetry, settings, champion=lambda: champion)
    assert LogColumns.from_dict(dataset.meta.details["logs"]).carried == ()
    assert any("the champion counts 2 templates; set logs.max_columns to as many" in line for line in said)
