"""Which version serves, after all that can happen to one."""

from datetime import UTC, datetime

import pytest

from netops import registry
from netops.errors import NetopsError
from netops.registry import ProofError, transitions

from .conftest import log_version


@pytest.fixture(autouse=True)
def without_files(monkeypatch):
    """Versions of these tests have no files to be loaded."""
    monkeypatch.setattr(transitions, "check", lambda model: None)


def passes():
    return "proof"


def fails():
    raise ProofError("the served model differs from the tested one: risk by 0.5")


def serve(*versions, **more):
    for version in versions:
        now = registry.champion("core")
        registry.put_in_service("core", version, passes, "better", instead_of=now and now.version, **more)


def champion():
    model = registry.champion("core")
    return model and model.version


def states():
    return {model.version: model.state for model in registry.versions("core")}


def tagged(database):
    return [a["metadata"]["labels"]["version"] for a in database.list_artifacts(project="netops", tag="champion")]


def test_a_version_is_proven_before_it_serves(database, trained) -> None:
    trained("a")
    assert states() == {"a": "candidate"}
    seen = []
    registry.put_in_service("core", "a", lambda: seen.append(champion()) or "proof", "the first")
    assert seen == [None]
    assert states() == {"a": "champion"}
    assert tagged(database) == ["a"]
    assert registry.find("core", "a").state_reason == "the first"


def test_a_failed_proof_rejects_the_version_and_leaves_the_champion(database, trained) -> None:
    trained("a", "b")
    serve("a")
    with pytest.raises(ProofError, match="version b is rejected, a stays in service"):
        registry.put_in_service("core", "b", fails, "better", instead_of="a", run="r1")
    assert (champion(), tagged(database)) == ("a", ["a"])
    assert states() == {"a": "champion", "b": "rejected"}
    with pytest.raises(NetopsError, match="version b is rejected: the served model differs"):
        registry.put_in_service("core", "b", passes, "better", instead_of="a", run="r1")


def test_a_proof_that_could_not_be_made_says_nothing_about_the_model(database, trained) -> None:
    trained("a")

    def cannot():
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        registry.put_in_service("core", "a", cannot, "the first", run="r1")
    assert states() == {"a": "candidate"}
    assert registry.put_in_service("core", "a", passes, "the first", run="r1").promoted


def test_rollbacks_walk_back_and_then_refuse(database, trained) -> None:
    trained("a", "b", "c")
    serve("a", "b", "c")
    assert [registry.rollback("core").version for _ in range(2)] == ["b", "a"]
    with pytest.raises(NetopsError, match="no earlier champion"):
        registry.rollback("core")
    assert (champion(), tagged(database)) == ("a", ["a"])
    assert states() == {"a": "champion", "b": "retired", "c": "retired"}


def test_a_rollback_never_leads_to_a_rejected_version(database, trained) -> None:
    trained("a", "b", "c")
    serve("a", "b", "c")
    registry.reject("core", "b", "it floods the night shift")
    assert champion() == "c"
    assert registry.rollback("core").version == "a"
    assert states()["b"] == "rejected"


def test_a_rejected_champion_is_replaced_by_the_one_before_and_the_only_one_stays(database, trained) -> None:
    trained("a", "b")
    serve("a", "b")
    registry.reject("core", "b", "it floods the night shift")
    assert (champion(), tagged(database)) == ("a", ["a"])
    with pytest.raises(NetopsError, match="a: no reject: it is the champion, and there is no earlier version"):
        registry.reject("core", "a", "too")
    assert champion() == "a"
    entry = registry.history("core")[0]
    assert (entry["version"], entry["before"], entry["reason"]) == ("a", "b", "it floods the night shift")


def test_a_stage_that_is_run_again_finds_what_has_been_done(database, trained) -> None:
    trained("a", "b")
    serve("a")
    first = registry.put_in_service("core", "b", passes, "better", instead_of="a", run="r1")
    again = registry.put_in_service("core", "b", fails, "better", instead_of="a", run="r1")
    assert first.promoted
    assert again.promoted
    registry.rollback("core", "rolled back by hand")
    later = registry.put_in_service("core", "b", passes, "better", instead_of="a", run="r1")
    assert not later.promoted
    assert "it is retired since: rolled back by hand" in later.reason
    assert champion() == "a"


def test_another_champion_than_the_one_compared_with_stays(database, trained) -> None:
    trained("a", "b", "c")
    serve("a", "b")
    outcome = registry.put_in_service("core", "c", passes, "better", instead_of="a", run="r1")
    assert not outcome.promoted
    assert "compared with a, and b is the champion now" in outcome.reason
    assert champion() == "b"


def test_a_canceled_run_promotes_nothing_until_it_is_resumed(database, trained) -> None:
    trained("a", "b")
    serve("a")

    def canceled_meanwhile():
        registry.cancel_run("core", "r1")
        return "proof"

    with pytest.raises(NetopsError, match="run r1 is canceled"):
        registry.put_in_service("core", "b", canceled_meanwhile, "better", instead_of="a", run="r1")
    assert (champion(), states()["b"]) == ("a", "proven")
    registry.resume_run("core", "r1")
    assert registry.put_in_service("core", "b", fails, "better", instead_of="a", run="r1").promoted


def test_an_aborted_run_promotes_nothing(database, trained) -> None:
    trained("a")
    run = {
        "metadata": {"name": "main", "uid": "r1", "project": "netops"},
        "status": {"state": "aborted", "start_time": datetime.now(UTC).isoformat()},
    }
    database.store_run(run, "r1", "netops")
    with pytest.raises(NetopsError, match="run r1 is canceled"):
        registry.put_in_service("core", "a", passes, "the first", run="r1")
    assert champion() is None


def test_by_hand_a_version_is_proven_first(database, trained) -> None:
    trained("a", "b")
    serve("a")
    with pytest.raises(ProofError):
        registry.promote_by_hand("core", "b", lambda model: fails())
    assert states() == {"a": "champion", "b": "rejected"}
    assert registry.promote_by_hand("core", "b", lambda model: "proof").version == "b"
    assert champion() == "b"


@pytest.mark.parametrize("withdrawn", [False, True])
def test_tags_of_an_older_version_are_understood(database, withdrawn) -> None:
    """A champion by its tag, and an artifact for each promotion: the state folders of 2026 hold nothing else."""
    for version in ("a", "b", "c"):
        log_version(database, "core", version)
    for version, before in (("a", ""), ("b", "a"), ("c", "b"), ("b", "c")):
        labels = {"network": "core", "version": version, "before": before}
        document = {"kind": "artifact", "metadata": {"key": "core-promotion", "labels": labels}, "spec": {}}
        database.store_artifact("core-promotion", document, project="netops", tree=f"{before}-{version}")
    [b] = [
        a
        for a in database.list_artifacts(project="netops", kind="model", tag="*")
        if "b" in str(a["metadata"]["tree"])
    ][:1]
    if not withdrawn:
        database.tag_artifacts(b, "netops", "champion")
        assert champion() == "b"
        assert registry.rollback("core").version == "c"
        assert registry.rollback("core").version == "a"
        assert states() == {"a": "champion", "b": "retired", "c": "retired"}
    else:
        assert champion() is None
        assert states()["b"] == "rejected"
        serve("a")
        assert champion() == "a"
        with pytest.raises(NetopsError, match="no earlier champion"):
            registry.rollback("core")


def test_a_shadow_ends_when_it_is_promoted_or_rejected(database, trained, monkeypatch) -> None:
    monkeypatch.setattr(transitions, "_require_same_features", lambda serving, model: None)
    trained("a", "b", "c")
    serve("a")
    registry.put_in_shadow("core", "b")
    serve("b")
    assert registry.shadow("core") is None
    registry.put_in_shadow("core", "c")
    registry.reject("core", "c", "it floods the night shift")
    assert registry.shadow("core") is None
    with pytest.raises(NetopsError, match="version c is rejected: it floods"):
        registry.put_in_shadow("core", "c")
