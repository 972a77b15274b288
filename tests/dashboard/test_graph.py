"""The graph of a run, made of what its steps took and gave."""

import pytest

from netops.dashboard.graph import WAITING, graph_of

TREE = "0f" * 16


def uri(kind: str, key: str, mark: str, tag: str = "#0") -> str:
    return f"store://{kind}/netops/{key}{tag}@{TREE}^{mark}"


def record(name: str, inputs=(), outputs=(), results=None, state="completed", start=0) -> dict:
    return {
        "metadata": {"name": name, "uid": f"uid-{name}-{start}"},
        "spec": {"inputs": {mark: uri("datasets", mark, mark, ":latest") for mark in inputs}, "parameters": {}},
        "status": {
            "artifact_uris": {mark: uri("datasets", mark, mark) for mark in outputs},
            "results": results or {},
            "state": state,
            "start": start,
        },
    }


def describe(run: dict) -> dict:
    start = run["status"]["start"]
    return {
        "state": run["status"]["state"],
        "error": "",
        "started": f"2026-01-01 00:00:{start:02d}",
        "seconds": 2.0,
    }


def pipeline() -> list[dict]:
    return [
        record("generate", outputs=["telemetry"], start=0),
        record("features", ["telemetry"], ["features"], start=2),
        record("train-a", ["features"], ["model-a"], start=4),
        record("train-b", ["features"], ["model-b"], start=4),
        record(
            "select",
            ["features", "model-a", "model-b"],
            results={"best_model": uri("models", "m", "model-a", ":latest")},
            start=6,
        ),
        record("deploy", ["model-a", "features"], start=8),
    ]


def test_steps_wait_for_whom_they_take_something_from_or_who_chose_it():
    graph = graph_of(pipeline(), [], describe)
    assert [(before.name, after.name) for before, after in graph.edges()] == [
        ("generate", "features"),
        ("features", "train-a"),
        ("features", "train-b"),
        ("train-a", "select"),
        ("train-b", "select"),
        ("select", "deploy"),
    ]
    columns = {step.name: step.x for step in graph.steps}
    assert columns["generate"] < columns["features"] < columns["train-a"] == columns["train-b"] < columns["select"]
    assert len({(step.x, step.y) for step in graph.steps}) == 6
    assert max(columns.values()) < graph.width
    assert [step.offset for step in graph.steps] == [0, 20, 40, 40, 60, 80]


def test_of_several_attempts_the_last_counts():
    failed = record("features", ["telemetry"], state="error", start=1)
    graph = graph_of([pipeline()[0], failed, pipeline()[1]], [], describe)
    step = graph.find("features")
    assert (step.attempts, step.state, step.after) == (2, "completed", ["generate"])


def test_what_has_not_begun_is_drawn_as_waiting():
    graph = graph_of(pipeline()[:2], pipeline(), describe)
    assert [step.state for step in graph.steps] == ["completed", "completed", *[WAITING] * 4]
    assert graph.find("deploy").after == ["select"]
    assert graph.find("deploy").uid == ""


@pytest.mark.parametrize("steps", [[], [record("alone")], [record("a", ["y"], ["x"]), record("b", ["x"], ["y"])]])
def test_any_records_make_a_graph(steps):
    graph = graph_of(steps, [], describe)
    assert len(graph.steps) == len(steps)


def test_values_are_laid_out_to_be_read():
    step = graph_of([record("a", results={"k": {"b": 1}, "text": '{"c": 2}', "broken": "{x"})], [], describe).steps[
        0
    ]
    assert step.results == {"k": '{\n "b": 1\n}', "text": '{\n "c": 2\n}', "broken": "{x"}
