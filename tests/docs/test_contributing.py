"""The first changes that CONTRIBUTING.md tells of: its code is taken out of the page and used."""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from netops.config.binding import bind
from netops.config.durations import HOUR, MINUTE
from netops.features.spec import FeatureSpec
from netops.models.card import ModelCard
from netops.models.explanation import Explainer
from netops.models.onnx_file import Session, build_model, save_model
from netops.serving.alerts.receivers import registry as receivers
from netops.serving.alerts.store import AlertStore
from netops.serving.settings import ReceiverSettings
from netops.simulator.generate import generate
from netops.simulator.settings import GeneratorSettings
from netops.telemetry.dataset import matrix_of
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.sources.registry import SCHEMES
from netops.training.families import registry as families
from tests.docs.pages import ROOT, code, pages
from tests.serving.hooks import Hook, status, until
from tests.serving.test_alert_store import alert
from tests.serving.test_receivers import delivering
from tests.training.test_families import WIDTH, fitted, telemetry

PAGE = pages()["CONTRIBUTING.md"]
FAMILY, FAMILY_LINE, SOURCE, SOURCE_LINE, RECEIVER, RECEIVER_LINE, *_ = code(PAGE, "python")


def test_a_metric_is_one_yaml(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "configurations" / "metrics.yaml").read_text())
    config["metrics"] |= yaml.safe_load(textwrap.dedent(code(PAGE, "yaml")[0]))
    settings = GeneratorSettings.from_yaml(config)
    dataset = generate(settings, tmp_path / "t", devices=2, duration=HOUR, interval=MINUTE, start=0, seed=1)
    assert "temperature" in dataset.meta.metrics
    assert 35 < np.mean([matrix_of(table, ["temperature"]).mean() for table in dataset.tables()]) < 55
    assert "temperature_mean_1m" in FeatureSpec(dataset.meta.metrics, (MINUTE,), ("mean",)).names


def test_a_family_is_one_file(modules: Any) -> None:
    family = modules("first_family", FAMILY).Logistic()
    family.load(1)
    scaling, model = fitted(family, *telemetry())
    features, labels = telemetry(seed=1)
    native = model.predict(scaling.apply(features))
    assert native[labels == 1].mean() > native[labels == 0].mean() + 0.5
    assert np.abs(Session(build_model(scaling, model)).score(features) - native).max() < 1e-6


def test_a_family_is_one_line(modules: Any) -> None:
    modules("first_family", FAMILY)
    text = Path(families.__file__).read_text(encoding="utf-8")
    line = re.search(r"    extra_trees: .*\n", text)
    changed = text.replace(line[0], line[0] + FAMILY_LINE).replace(
        "from netops.training.families.sklearn",
        "from first_family import Logistic\nfrom netops.training.families.sklearn",
    )
    registry = modules("first_registry", changed)
    assert [*families.FAMILIES, "logistic"] == list(registry.FAMILIES)
    assert bind(registry.Families, {"logistic": {"l2": 2.0}}, "training.yaml: families").logistic.l2 == 2


def test_a_source_is_one_file_and_one_line(modules: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules("first_source", SOURCE)
    scheme, opener = yaml.safe_load("{" + SOURCE_LINE + "}").popitem()
    monkeypatch.setitem(SCHEMES, scheme, opener.replace("netops.telemetry.sources.jsonl", "first_source"))
    start = 1_767_571_200
    rows = [{"time": start + 60 * n, "device": f"d{n % 2}", "load": n % 7, "is_error": n > 90} for n in range(100)]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    dataset = ingest([f"jsonl://{tmp_path}/x.jsonl"], tmp_path / "out", TelemetrySettings())
    assert (dataset.meta.metrics, dataset.meta.devices, dataset.meta.samples) == (("load",), 2, 100)


def test_a_receiver_is_one_file_and_one_line(modules: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules("first_receiver", RECEIVER)
    text = Path(receivers.__file__).read_text(encoding="utf-8")
    line = RECEIVER_LINE.replace("netops.serving.alerts.receivers.ntfy", "first_receiver")
    changed = modules("first_receivers", text.replace("RECEIVERS = {\n", f"RECEIVERS = {{\n{line}"))
    assert [*changed.RECEIVERS] == ["ntfy", *receivers.RECEIVERS]
    monkeypatch.setattr(receivers, "RECEIVERS", changed.RECEIVERS)
    store = AlertStore(tmp_path / "alerts")
    with (
        Hook(lambda _, times: status(503 if times < 2 else 200)) as hook,
        delivering(tmp_path / "alerts", ReceiverSettings("ntfy", f"{hook.url}/netops")) as deliveries,
    ):
        store.save([alert(1)], deliveries.names)
        until(lambda: store.undelivered() == 0)
    assert hook.taken == [{"topic": "netops", "title": alert(1).device, "message": "risk alert opened"}]


def test_a_family_is_explained_like_the_others(modules: Any, tmp_path: Path) -> None:
    model = fitted(modules("first_family", FAMILY).Logistic(), *telemetry())
    names = tuple(f"feature_{index}" for index in range(WIDTH))
    spec = FeatureSpec(names, (MINUTE,)).to_dict()
    save_model(tmp_path / "model", build_model(*model), ModelCard("demo", "logistic", "v", names, spec, (), 1))
    features, labels = telemetry(seed=1)
    reasons = Explainer(tmp_path / "model").reasons(features[labels == 1])
    assert np.mean([reason[0][0] == "feature_0" for reason in reasons if reason]) > 0.9
