"""The shadow of a champion: a challenger that scores what the champion scores, and alerts nobody.

Whatever goes wrong with it costs the champion's answers nothing: it is counted, said once, and the shadow ends.
"""

import contextlib
import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from netops.alerting.policy import ENDLESS
from netops.errors import NetopsError
from netops.files import read_json, write_json
from netops.serving.decode.times import nanoseconds
from netops.serving.engine.champion import Champion, ServedModel, load_model
from netops.serving.engine.work import Work
from netops.serving.folders import state_folder
from netops.serving.shadow.comparison import Comparison
from netops.serving.shadow.scorer import ShadowScorer

if TYPE_CHECKING:
    from netops.serving.engine.runtime import Runtime

_LOG = logging.getLogger(__name__)


def report_path(folder: Path, version: str) -> Path:
    """Name the file in a folder of serving state that tells how a version did as a shadow."""
    return folder / "shadows" / f"{version}.json"


def read_report(network: str, version: str) -> dict[str, Any] | None:
    """Read how a version did, or does, as a shadow on this machine; None where it never was one."""
    path = report_path(state_folder(network), version)
    try:
        report: dict[str, Any] = read_json(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise NetopsError(f"{path}: not JSON: {error}") from None
    return report


def require_same_features(champion: ServedModel, challenger: ServedModel) -> None:
    """Make sure that features computed for the champion are those of the challenger.

    Raises
    ------
    NetopsError
        If it takes other metrics, windows or statistics.
    """
    if challenger.spec != champion.spec or challenger.counters != champion.counters:
        raise NetopsError(
            f"model {challenger.version} takes other metrics, windows or statistics than the champion "
            f"{champion.version}, and cannot be its shadow"
        )


@dataclass
class Found:
    """What a look at the registry came to: the shadow that is wanted, loaded, or why it cannot be."""

    wanted: Champion | None
    model: ServedModel | None = None
    error: Exception | None = None


class Shadow:
    """The place of a shadow beside the champion of a runtime; mostly it is empty.

    Parameters
    ----------
    runtime : Runtime
        Whose champion it follows.

    Attributes
    ----------
    model : ServedModel or None
        The challenger.
    failures : int
        How often a shadow was ended by a failure.
    """

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self.model: ServedModel | None = None
        self.failures = 0
        self._pair: ShadowScorer | None = None
        self._failed: tuple[str, str] | None = None
        self._saved = b""

    def look(self) -> Found | None:
        """See which shadow is wanted and load it; None where all is as it was. May run in another thread."""
        wanted, champion = self._runtime.source.shadow(), self._runtime.model.version
        if wanted is not None and wanted.version == champion:
            wanted = None  # it was promoted
        version = wanted.version if wanted else None
        self._failed = self._failed if wanted else None
        if version == (self.model.version if self.model else None) or (version, champion) == self._failed:
            return None
        try:
            return Found(wanted, load_model(wanted) if wanted else None)
        except Exception as error:  # noqa: BLE001
            return Found(wanted, error=error)

    def take(self, found: Found | None) -> None:
        """Put what was found in place, between two requests."""
        if found is None:
            return
        self.end()
        self._failed = None
        if found.wanted is not None and found.error is not None:
            self._fail(found.wanted.version, found.error)
        elif found.model is not None:
            self.model = found.model
            self._runtime.reader.truth = True
            _LOG.info("model %s scores in the shadow of %s", found.model.version, self._runtime.model.version)
            self._begin()

    def follow(self, work: Work, features: npt.NDArray[np.float64]) -> None:
        """Score what the champion scored; any failure ends the shadow."""
        if (model := self.model) is None:
            return
        try:
            if self._pair is None or work.model.version != self._pair.comparison.versions[0]:
                self._begin()
            if self._pair is not None and len(work.scored):
                self._pair.add(work, features, [code for code, _ in self._runtime.state.dropped])
        except Exception as error:  # noqa: BLE001
            self._fail(model.version, error)

    def end(self) -> None:
        """Let the shadow go; what it came to is kept."""
        if self.model is not None:
            self._write(self.report())
        self.model = self._pair = None
        self._runtime.reader.truth = False

    def save(self) -> bytes:
        """Give the comparison as a snapshot holds it; empty where there is none."""
        try:
            if self._pair is None:
                return b""
            self._pair.flush()
            return self._pair.comparison.save(self._runtime.state.table)
        except Exception as error:  # noqa: BLE001
            self._fail(self._version, error)
            return b""

    def restore(self, buffer: bytes) -> None:
        """Keep what :meth:`save` gave until the same two models are compared again."""
        self._saved = buffer

    def report(self) -> dict[str, Any] | None:
        """Tell how the shadow does; None where there is none."""
        try:
            return self._report()
        except Exception as error:  # noqa: BLE001
            self._fail(self._version, error)
            return None

    def _report(self) -> dict[str, Any] | None:
        if self._pair is None:
            return None
        self._pair.flush()
        runtime = self._runtime
        told = self._pair.comparison.report(runtime.state.table, _recorded(runtime))
        return {"network": runtime.network, **told}

    def write(self, report: dict[str, Any] | None) -> None:
        """Put a report where people find it, unless it has ended since; may run in another thread."""
        if report is not None and report["challenger"] == self._version:
            self._write(report)

    @property
    def _version(self) -> str:
        return self.model.version if self.model else ""

    def _begin(self) -> None:
        """Compare from now on with the champion that serves; go on where a snapshot left off."""
        runtime, model = self._runtime, self.model
        assert model is not None
        self._write(self.report())
        self._pair = None
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
            fresh = Comparison(versions, (policies[0], policies[1]), runtime.model.horizon)
            self._pair = ShadowScorer(model, self._go_on(fresh), runtime.state.table)
        except Exception as error:  # noqa: BLE001
            self._fail(model.version, error)

    def _go_on(self, fresh: Comparison) -> Comparison:
        """Take up the comparison of the same two models that a snapshot holds."""
        saved, self._saved = self._saved, b""
        if not saved:
            return fresh
        try:
            begun = Comparison(fresh.versions, fresh.policies, fresh.horizon)
            return begun if begun.restore(saved, self._runtime.state.table) else fresh
        except (ValueError, msgspec.MsgspecError) as error:
            _LOG.warning("the comparison with the shadow begins anew: %s", error)
            return fresh

    def _fail(self, version: str, error: Exception) -> None:
        self.failures += 1
        why = " ".join(str(error).split())[:300] or type(error).__name__
        _LOG.warning("the shadow %s ends, the champion goes on: %s", version, why)
        runtime = self._runtime
        self._failed = (version, runtime.model.version)
        told = {"network": runtime.network, "champion": runtime.model.version, "challenger": version}
        with contextlib.suppress(Exception):
            told = self._report() or told
        self.model = self._pair = None
        runtime.reader.truth = False
        self._write(told | {"failure": why})

    def _write(self, report: dict[str, Any] | None) -> None:
        if report is None:
            return
        try:
            write_json(report_path(self._runtime.folder, report["challenger"]), {"failure": None} | report)
        except OSError as error:
            _LOG.warning("how the shadow does cannot be written: %s", error)


def _recorded(runtime: "Runtime") -> list[tuple[str, int, int]]:
    """List the incidents that people recorded."""
    try:
        found = runtime.store.incidents()
    except sqlite3.Error as error:
        _LOG.warning("recorded incidents cannot be read: %s", error)
        return []
    return [(one.device, nanoseconds(one.start), nanoseconds(one.end) if one.end else ENDLESS) for one in found]
