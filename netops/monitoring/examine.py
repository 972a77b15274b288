"""Monitoring: compare the telemetry of a network with the reference of a model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Floats
from netops.errors import NetopsError
from netops.models.card import ModelCard
from netops.models.onnx_file import Scorer
from netops.monitoring.comparison import Rhythm
from netops.monitoring.concept import Concept, detect_drift, outcomes
from netops.monitoring.exported import Drift
from netops.monitoring.histograms import Histograms
from netops.monitoring.reading import Healthy, as_flags, count
from netops.monitoring.reference import Reference, read_reference
from netops.monitoring.report import Finding, Report, in_order
from netops.monitoring.schema_changes import Change, schema_changes
from netops.monitoring.settings import MonitoringSettings
from netops.monitoring.windows import Grid, Moves, detected, moves
from netops.telemetry.dataset import Dataset
from netops.training.feedback_labels import Verdicts
from netops.training.fitting import score_rows

_NAMES: dict[str, Drift] = {"features": "feature", "risk": "risk", "alerting": "risk", "missing": "missing"}


def examine(features: Dataset, model: Path, settings: MonitoringSettings) -> Report:
    """Compare telemetry with the reference of a model and report drift.

    Parameters
    ----------
    features : Dataset
        Feature vectors of the telemetry, with the features of the model card. If incidents are known, concept drift
        is tested too.
    model : Path
        Model folder.
    settings : MonitoringSettings

    Raises
    ------
    NetopsError
        If the model has no reference, or there is no healthy sample.
    """
    reference, scorer, healthy = read_reference(model), Scorer(model), Healthy.of(features)
    if not (~healthy.inside).any():
        raise NetopsError(f"{features.path}: all samples are inside incidents; pass telemetry with healthy periods")
    start, end = healthy.span
    grid = Grid.over(start, end, reference.features.block, settings)
    present, concepts = _present(healthy, reference, scorer, grid)
    moved = [
        moves(
            name, present[kind], Rhythm(getattr(reference, kind), reference.slots, reference.memory), grid, settings
        )
        for kind, name in _NAMES.items()
    ]
    found = detected(moved, grid, settings)
    missing = present["missing"]
    shares = missing.shares(*_newest(grid, missing))[:, 1]
    empty = [name for name, share in zip(missing.names, shares, strict=True) if share == 1]
    changes = schema_changes(reference, features.meta, healthy.sequences.devices, empty)
    findings = [
        finding for move, flags in zip(moved, found, strict=True) for finding in _of_moves(move, flags, grid)
    ]
    findings += [_of_concept(concept) for concept in concepts] + [_of_change(change) for change in changes]
    features_moved = moved[0]
    return Report(
        scorer.card.network,
        scorer.card.version,
        start,
        end,
        settings.statistic,
        grid.length * grid.block,
        in_order(findings),
        tuple(grid.ends),
        dict(zip(features_moved.names, features_moved.scores.T / (features_moved.minimum or 1), strict=True)),
        dict(zip(features_moved.names, found[0].T, strict=True)),
        dict(zip(missing.names, shares.tolist(), strict=True)),
        tuple(_notes(reference, features_moved)),
    )


def _present(
    healthy: Healthy, reference: Reference, scorer: Scorer, grid: Grid
) -> tuple[dict[str, Histograms], list[Concept]]:
    first = grid.stops[0] - grid.length
    blocks = grid.stops[-1] - first
    present = {kind: getattr(reference, kind).emptied(first, blocks) for kind in _NAMES}
    rows = healthy.thinned(reference.features.block)
    count(healthy, rows, present["features"], present["missing"])
    labelled = len(healthy.incidents) > 0
    risks = np.full(len(healthy.sequences), np.nan)
    # Alerts need the risk of every sample; for the distribution a subset is enough.
    scored = np.flatnonzero(~healthy.inside) if labelled else rows
    risks[scored] = score_rows(scorer.score, healthy.dataset, scorer.card.features, scored)
    times = healthy.sequences.timestamps[rows]
    present["risk"].add(times, risks[rows, None])
    present["alerting"].add(times, as_flags(risks[rows] >= reference.threshold)[:, None])
    return present, _concepts(healthy, risks, scorer.card) if labelled else []


def _concepts(healthy: Healthy, risks: Floats, card: ModelCard) -> list[Concept]:
    if not card.alert:
        return []
    sequences, incidents = healthy.sequences, healthy.incidents
    verdicts = Verdicts.from_table(healthy.dataset.verdicts(), sequences.devices, incidents, card.horizon)
    left_out = verdicts.left_out(sequences)
    streams = outcomes(sequences, incidents, risks, AlertPolicy(**card.alert), card.horizon, left_out)
    return [detect_drift(stream, card.evaluation) for stream in streams]


def _newest(grid: Grid, present: Histograms) -> tuple[int, int]:
    stop = grid.stops[-1] - present.first
    return stop - grid.length, stop


def _of_moves(move: Moves, found: npt.NDArray[np.bool_], grid: Grid) -> Sequence[Finding]:
    kind: Drift = move.kind  # type: ignore[assignment]
    ends = grid.ends
    return [
        Finding(
            kind,
            name,
            float(move.scores[-1, index]),
            move.minimum,
            float(move.p_values[-1, index]),
            bool(found[-1, index]),
            ends[int(np.argmax(found[:, index]))] if found[:, index].any() else None,
        )
        for index, name in enumerate(move.names)
    ]


def _of_concept(concept: Concept) -> Finding:
    score = float("nan") if concept.now is None else concept.now - (concept.before or 0.0)
    text = [f"{concept.outcomes} outcomes"]
    text += [f"{concept.now:.0%} of the latest wrong"] if concept.now is not None else []
    text += [f"{concept.before:.0%} in the test split"] if concept.before is not None else []
    detected = concept.since is not None
    return Finding("concept", concept.name, score, None, None, detected, concept.since, ", ".join(text))


def _of_change(change: Change) -> Finding:
    return Finding("schema", change.name, change.score, detected=change.detected, about=change.about)


def _notes(reference: Reference, moved: Moves) -> list[str]:
    notes = []
    periods = len(reference.features) / reference.slots
    if periods < 2:
        notes.append(
            f"the reference covers only {periods:.2g} periods, so the variation between periods is unknown"
        )
    if (np.isnan(moved.p_values[-1]) & ~np.isnan(moved.scores[-1])).any():
        notes.append("the reference is too short to test some of the features for significance")
    if np.isnan(moved.scores[-1]).all():
        notes.append("the reference has no samples at the times of day of the newest window")
    return notes
