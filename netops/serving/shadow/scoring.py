"""The shadow of a champion: a challenger that scores the same samples, without alerts.

A failure of the shadow does not affect the champion's answers: it is counted and logged, and the shadow stops.
"""

import contextlib
import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from netops.alerting.policy import ENDLESS
from netops.alerting.settings import AlertSettings
from netops.errors import NetopsError
from netops.files import read_json, write_json
from netops.serving.alerts.feedback_store import FeedbackStore
from netops.serving.decode.json import JsonReader
from netops.serving.decode.times import nanoseconds
from netops.serving.engine.champion import Champion, ModelSource, ServedModel, load_model
from netops.serving.engine.fleet_state import FleetState
from netops.serving.engine.work import Work
from netops.serving.folders import state_folder
from netops.serving.shadow.background import BackgroundScorer
from netops.serving.shadow.comparison import Comparison
from netops.serving.shadow.parts import ComparedPart, report_of
from netops.serving.shadow.report import ShadowReport
from netops.serving.shadow.scorer import ShadowScorer

_LOG = logging.getLogger(__name__)


class Host(Protocol):
    """What a shadow needs of the runtime of its champion."""

    network: str
    folder: Path
    alerting: AlertSettings
    source: ModelSource
    model: ServedModel
    reader: JsonReader
    state: FleetState
    store: FeedbackStore


def report_path(folder: Path, version: str) -> Path:
    """Return the path of the shadow report of a version in a state folder."""
    return folder / "shadows" / f"{version}.json"


def read_report(network: str, version: str) -> ShadowReport | None:
    """Read the shadow report of a version on this machine; None if there is none."""
    path = report_path(state_folder(network), version)
    try:
        report: ShadowReport = read_json(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise NetopsError(f"{path}: not JSON: {error}") from None
    return report


def require_same_features(champion: ServedModel, challenger: ServedModel) -> None:
    """Check that champion and challenger use the same features.

    Raises
    ------
    NetopsError
        If the challenger uses other metrics, windows or statistics.
    """
    if challenger.spec != champion.spec or challenger.counters != champion.counters:
        raise NetopsError(
            f"model {challenger.version} uses other metrics, windows or statistics than the champion "
            f"{champion.version}, and cannot be its shadow"
        )


@dataclass
class Lookup:
    """The result of a registry lookup: the shadow, loaded, or the error."""

    wanted: Champion | None
    model: ServedModel | None = None
    error: Exception | None = None


class Shadow:
    """The shadow of a runtime, if there is one.

    Parameters
    ----------
    runtime : Host
        The runtime of the champion.
    in_background : bool
        Whether samples are scored in a thread; those that it does not keep up with are skipped.

    Attributes
    ----------
    model : ServedModel or None
        The challenger.
    failures : int
        Number of shadows stopped by a failure.
    """

    def __init__(self, runtime: Host, in_background: bool = False) -> None:
        self._runtime, self._in_background = runtime, in_background
        self.model: ServedModel | None = None
        self.failures = 0
        self._scorer: ShadowScorer | BackgroundScorer | None = None
        self._failed: tuple[str, str] | None = None
        self._saved = b""

    def check(self) -> Lookup | None:
        """Look up the shadow and load it if it is new; None if unchanged. May run in another thread."""
        wanted, champion = self._runtime.source.shadow(), self._runtime.model.version
        if wanted is not None and wanted.version == champion:
            wanted = None  # it was promoted
        version = wanted.version if wanted else None
        self._failed = self._failed if wanted else None
        if version == (self.model.version if self.model else None) or (version, champion) == self._failed:
            return None
        try:
            return Lookup(wanted, load_model(wanted) if wanted else None)
        except Exception as error:  # noqa: BLE001
            return Lookup(wanted, error=error)

    def apply(self, found: Lookup | None) -> None:
        """Start or stop a shadow according to a lookup, between two requests."""
        if found is None:
            return
        self.end()
        self._failed = None
        if found.wanted is not None and found.error is not None:
            self._fail(found.wanted.version, found.error)
        elif found.model is not None:
            self.model = found.model
            self._runtime.reader.truth = True
            _LOG.info("model %s scores as the shadow of %s", found.model.version, self._runtime.model.version)
            self._start()

    def follow(self, model: ServedModel | None) -> None:
        """Compare with the shadow of the process, of which this one serves a partition; None: with none."""
        champion = self._runtime.model.version
        if model is None:
            self._failed = None
            if self.model is not None:
                self.end()
        elif model is not self.model and model.version != champion and (model.version, champion) != self._failed:
            self.apply(Lookup(Champion(model.version, self._runtime.folder), model))

    def score(self, work: Work, features: npt.NDArray[np.float64]) -> None:
        """Score the champion's samples with the shadow; a failure stops the shadow."""
        if (model := self.model) is None:
            return
        try:
            if self._scorer is None or work.model.version != self._scorer.comparison.versions[0]:
                self._start()
            if self._scorer is not None and len(work.scored):
                self._scorer.add(work, features, [code for code, _ in self._runtime.state.dropped])
        except Exception as error:  # noqa: BLE001
            self._fail(model.version, error)

    def end(self) -> None:
        """Stop the shadow; its report is stored."""
        if self.model is not None:
            self._write(self.report())
        self.model = self._scorer = None
        self._runtime.reader.truth = False

    def save(self) -> bytes:
        """Return the comparison for a snapshot; empty if there is none."""
        try:
            if self._scorer is None:
                return self._saved if self._in_background else b""
            self._scorer.flush(wait=True)
            with self._scorer.lock:
                return self._scorer.comparison.save(self._runtime.state.table, self._scorer.waiting)
        except Exception as error:  # noqa: BLE001
            self._fail(self._version, error)
            return b""

    def restore(self, buffer: bytes) -> None:
        """Store what :meth:`save` returned until the same two models are compared again."""
        self._saved = buffer

    def report(self) -> ShadowReport | None:
        """Return the report of the shadow; None if there is none."""
        try:
            return self._report()
        except Exception as error:  # noqa: BLE001
            self._fail(self._version, error)
            return None

    def part(self) -> ComparedPart | None:
        """Return the comparison as plain values; None if there is no shadow."""
        try:
            return self._part()
        except Exception as error:  # noqa: BLE001
            self._fail(self._version, error)
            return None

    def _part(self) -> ComparedPart | None:
        if self._scorer is None:
            return None
        self._scorer.flush()
        runtime = self._runtime
        with self._scorer.lock:
            return self._scorer.comparison.part(runtime.state.table, _recorded(runtime))

    def _report(self) -> ShadowReport | None:
        part = self._part()
        return None if part is None else {"network": self._runtime.network, **report_of([part])}

    def write(self, report: ShadowReport | None) -> None:
        """Write a report unless the shadow has ended since; may run in another thread."""
        if report is not None and report["challenger"] == self._version:
            self._write(report)

    @property
    def _version(self) -> str:
        return self.model.version if self.model else ""

    def _start(self) -> None:
        """Start the comparison with the current champion; resume it from a snapshot if possible."""
        runtime, model = self._runtime, self.model
        assert model is not None
        self._write(self.report())
        self._scorer = None
        if self.model is None:
            return
        try:
            if model.version == runtime.model.version:
                self.end()
                return
            require_same_features(runtime.model, model)
            both = (runtime.model, model)
            policies = [runtime.alerting.policy(one.threshold, one.horizon) for one in both]
            versions = (runtime.model.version, model.version)
            comparison = Comparison(versions, (policies[0], policies[1]), runtime.model.horizon)
            make = BackgroundScorer if self._in_background else ShadowScorer
            self._scorer = make(model, self._resume(comparison), runtime.state.table)
        except Exception as error:  # noqa: BLE001
            self._fail(model.version, error)

    def _resume(self, new: Comparison) -> Comparison:
        """Return the comparison of the same two models in a snapshot, otherwise the new one."""
        saved, self._saved = self._saved, b""
        if not saved:
            return new
        try:
            restored = Comparison(new.versions, new.policies, new.horizon)
            return restored if restored.restore(saved, self._runtime.state.table) else new
        except (ValueError, msgspec.MsgspecError) as error:
            _LOG.warning("the comparison with the shadow is restarted: %s", error)
            return new

    def _fail(self, version: str, error: Exception) -> None:
        self.failures += 1
        why = " ".join(str(error).split())[:300] or type(error).__name__
        _LOG.warning("the shadow %s is stopped, the champion is not affected: %s", version, why)
        runtime = self._runtime
        self._failed = (version, runtime.model.version)
        report: ShadowReport = {
            "network": runtime.network,
            "champion": runtime.model.version,
            "challenger": version,
        }
        with contextlib.suppress(Exception):
            report = self._report() or report
        self.model = self._scorer = None
        runtime.reader.truth = False
        self._write(report | {"failure": why})

    def _write(self, report: ShadowReport | None) -> None:
        if report is None:
            return
        try:
            write_json(report_path(self._runtime.folder, report["challenger"]), {"failure": None} | report)
        except OSError as error:
            _LOG.warning("the shadow report cannot be written: %s", error)


def _recorded(runtime: Host) -> list[tuple[str, int, int]]:
    """Return the recorded incidents."""
    try:
        found = runtime.store.incidents()
    except sqlite3.Error as error:
        _LOG.warning("recorded incidents cannot be read: %s", error)
        return []
    return [(one.device, nanoseconds(one.start), nanoseconds(one.end) if one.end else ENDLESS) for one in found]
