"""Random histories of a network's models, with a crash before any write, against a reference of a few lines.

The embedded database has transactions; a service has none. Its counterpart is the same database with its
transactions hidden: each write stands by itself, as over HTTP. How many
histories are tried says NETOPS_REGISTRY_HISTORIES (2,000 take some minutes).
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from netops import registry
from netops.errors import NetopsError
from netops.registry import ProofError, records, transitions
from netops.registry.ledger import Ledger
from netops.workflows.champion_source import RegisteredChampion

from .conftest import log_version

HISTORIES = int(os.environ.get("NETOPS_REGISTRY_HISTORIES", "0"))
STEPS = 12
WRITES = {"store_artifact", "tag_artifacts", "delete_artifacts_tags"}
VERSIONS, RUNS = st.sampled_from("abcd"), st.sampled_from(["r1", "r2", "r3"])
#: The write before which the process is killed; most are not.
CRASHES = st.one_of(st.none(), st.integers(0, 5))


class Killed(BaseException):
    """The process is gone."""


class Database:
    """A run database, with or without its transactions, that can be killed before any write."""

    def __init__(self, database: Any, transactions: bool) -> None:
        self._database, self._transactions, self.left = database, transactions, None

    def __getattr__(self, name: str) -> Any:
        if name == "transaction" and not self._transactions:
            raise AttributeError(name)
        found = getattr(self._database, name)
        return self._counted(found) if name in WRITES else found

    def _counted(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            if self.left is not None:
                if self.left == 0:
                    raise Killed
                self.left -= 1
            return write(*arguments, **named)

        return counted


@dataclass(frozen=True)
class Reference:
    """What ought to be: states of versions, those that served in their order, and what runs have done."""

    states: tuple[tuple[str, str], ...] = ()
    path: tuple[str, ...] = ()
    canceled: frozenset[str] = frozenset()
    done: frozenset[tuple[str, str]] = frozenset()

    @property
    def champion(self) -> str | None:
        return self.path[-1] if self.path else None

    def state(self, version: str) -> str:
        return dict(self.states).get(version, "candidate")

    def to(self, version: str, state: str) -> "Reference":
        return replace(self, states=tuple(sorted((dict(self.states) | {version: state}).items())))

    def serve(self, *path: str) -> "Reference":
        before = self.to(self.champion, "retired") if self.champion else self
        return replace(before.to(path[-1], "champion"), path=path)

    def without(self, version: str) -> tuple[str, ...]:
        return tuple(other for other in self.path if other != version)

    def promote(self, version: str, run: str = "") -> "Reference":
        after = self.serve(*self.without(version), version)
        return replace(after, done=after.done | {(run, version)} if run else after.done)

    def reject(self, version: str) -> "Reference":
        rest = self.without(version)
        after = self.serve(*rest) if self.champion == version else replace(self, path=rest)
        return after.to(version, "rejected")


class Histories(RuleBasedStateMachine):
    """One network and all that can happen to its models."""

    database: Any
    numbers: Iterator[int]

    def __init__(self) -> None:
        super().__init__()
        self.network = f"n{os.getpid()}-{next(self.numbers)}"
        self.expected, self.trained, self.chosen, self.had_champion = Reference(), set(), {}, False
        self.server = RegisteredChampion(self.network)

    def happens(self, act: Callable[[], Any], stages: list[Reference], crash: int | None) -> None:
        """Let something happen that goes through these stages: to the last, or to any where it is killed."""
        self.database.left, killed, error = crash, False, None
        try:
            act()
        except Killed:
            killed = True
        except NetopsError as refusal:
            error = refusal
        finally:
            self.database.left = None
        self.sound()
        if killed:
            records.synchronize(self.network)  # what the next start does
        ledger = records.read(self.network)
        found = [stage for stage in stages if self.agree(stage, ledger)]
        assert found, (stages, ledger, error)
        assert killed or found[-1] == stages[-1], (stages, ledger, error)
        self.expected = found[-1]

    def agree(self, stage: Reference, ledger: Ledger) -> bool:
        there, wanted = ([facts.state(version) for version in self.trained] for facts in (ledger, stage))
        return (ledger.champion, tuple(ledger.path), ledger.canceled, there) == (
            stage.champion,
            stage.path,
            stage.canceled,
            wanted,
        )

    def sound(self) -> None:
        """What holds at any moment, also after a crash before the next start."""
        ledger = records.read(self.network)
        assert ledger.champion is not None or not self.had_champion
        self.had_champion = ledger.champion is not None
        assert [v for v in self.trained if ledger.state(v) == "champion"] == ([ledger.champion] * self.had_champion)
        assert all(ledger.state(version) != "rejected" for version in self.tagged())

    def tagged(self) -> list[str]:
        tagged = self.database.list_artifacts(project="netops", tag="champion", labels=[f"network={self.network}"])
        return [artifact["metadata"]["labels"]["version"] for artifact in tagged]

    @rule(version=VERSIONS)
    def train(self, version: str) -> None:
        log_version(self.database, self.network, version)
        self.trained.add(version)

    @rule(run=RUNS, version=VERSIONS)
    def select(self, run: str, version: str) -> None:
        if version in self.trained:
            self.chosen[run] = (version, self.expected.champion)

    @rule(
        run=RUNS,
        proof=st.sampled_from(["passes", "passes", "passes", "fails", "breaks", "canceled meanwhile"]),
        crash=CRASHES,
    )
    def deploy(self, run: str, proof: str, crash: int | None) -> None:
        """Deploy what a run has chosen, or retry to."""
        if run not in self.chosen:
            return
        version, compared = self.chosen[run]
        self.happens(
            lambda: registry.put_in_service(
                self.network, version, lambda: self.prove(proof, run), "better", instead_of=compared, run=run
            ),
            self.deployed(version, compared, run, proof),
            crash,
        )

    def deployed(self, version: str, compared: str | None, run: str, proof: str) -> list[Reference]:
        now = self.expected
        if (run, version) in now.done or now.champion == version or now.state(version) == "rejected":
            return [now]
        stages = [now]
        if now.state(version) != "proven":
            if proof == "breaks":
                return stages
            if proof == "fails":
                return [*stages, now.reject(version)]
            if proof == "canceled meanwhile":
                stages.append(replace(now, canceled=now.canceled | {run}))
            stages.append(stages[-1].to(version, "proven"))
        if run in stages[-1].canceled or now.champion != compared:
            return stages
        return [*stages, stages[-1].promote(version, run)]

    def prove(self, proof: str, run: str) -> str:
        if proof == "fails":
            raise ProofError("it differs")
        if proof == "breaks":
            raise NetopsError("no process")
        if proof == "canceled meanwhile":
            registry.cancel_run(self.network, run)
        return "proof"

    @rule(run=RUNS, crash=CRASHES)
    def cancel(self, run: str, crash: int | None) -> None:
        after = replace(self.expected, canceled=self.expected.canceled | {run})
        self.happens(lambda: registry.cancel_run(self.network, run), [self.expected, after], crash)

    @rule(run=RUNS, crash=CRASHES)
    def resume(self, run: str, crash: int | None) -> None:
        after = replace(self.expected, canceled=self.expected.canceled - {run})
        self.happens(lambda: registry.resume_run(self.network, run), [self.expected, after], crash)

    @rule(version=VERSIONS, passes=st.booleans(), crash=CRASHES)
    def promote(self, version: str, passes: bool, crash: int | None) -> None:
        if version not in self.trained:
            return
        now = self.expected
        stages = [now]
        if now.champion != version and now.state(version) not in ("proven", "retired"):
            stages.append(now.to(version, "proven") if passes else now.reject(version))
        if now.champion != version and stages[-1].state(version) != "rejected":
            stages.append(stages[-1].promote(version))
        proof = "passes" if passes else "fails"
        self.happens(
            lambda: registry.promote_by_hand(self.network, version, lambda model: self.prove(proof, "")),
            stages,
            crash,
        )

    @rule(crash=CRASHES)
    def rollback(self, crash: int | None) -> None:
        now = self.expected
        stages = [now, now.serve(*now.path[:-1])] if len(now.path) > 1 else [now]
        self.happens(lambda: registry.rollback(self.network), stages, crash)

    @rule(version=VERSIONS, crash=CRASHES)
    def withdraw(self, version: str, crash: int | None) -> None:
        now = self.expected
        if version not in self.trained:
            return
        stages = [now] if now.path == (version,) else [now, now.reject(version)]
        self.happens(lambda: registry.reject(self.network, version, "withdrawn"), stages, crash)

    @invariant()
    def what_is_reported_is_what_the_registry_holds(self) -> None:
        champion = registry.champion(self.network)
        assert (champion.version if champion else None) == self.expected.champion
        assert self.tagged() == ([champion.version] if champion else [])
        listed = {model.version: model.state for model in registry.versions(self.network)}
        assert listed == {version: self.expected.state(version) for version in self.trained}
        if champion:
            assert self.server.look()[0] == champion.version
            assert registry.history(self.network)[0]["version"] == champion.version


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", ["embedded", "service"])
def test_any_history_leaves_a_sound_registry(kind, request, monkeypatch) -> None:
    database = Database(request.getfixturevalue("database"), transactions=kind == "embedded")
    monkeypatch.setattr("mlrun.get_run_db", lambda *_, **__: database)
    monkeypatch.setattr(transitions, "check", lambda model: None)

    class Here(Histories):
        numbers = count()

    Here.database = database
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=HISTORIES or 15,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=not HISTORIES,
            suppress_health_check=list(HealthCheck),
        ),
    )
