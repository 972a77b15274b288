"""Why the model gave the risk it gave, at the moment of an episode that decides."""

from pathlib import Path

import numpy as np

from netops.evaluation.report.episodes import FALSE_ALARM, MISS, Episode
from netops.models.explanation import Explainer, Reason
from netops.telemetry.dataset import Dataset
from netops.training.examples import Examples
from netops.training.rows import gather

#: Reasons of each episode, in its order: "" or what moment they are of, and the features.
Reasons = list[tuple[str, list[Reason]]]

_MOMENTS = {MISS: "at the highest risk before it", FALSE_ALARM: "when the alert opened"}


def reasons_of(examples: Examples, model: Path, episodes: list[Episode]) -> Reasons:
    """Explain the opening of each alert, and the highest risk before each missed incident.

    Returns
    -------
    list of (str, list of Reason)
        One per episode; no features if no sample was scored.
    """
    rows = [_deciding_row(episode) for episode in episodes]
    wanted = np.unique([row for row in rows if row is not None]).astype(np.int64)
    if not len(wanted):
        return [("", []) for _ in episodes]
    explainer = Explainer(model)
    features = gather(Dataset.open(Path(examples.sources["test"])), explainer.names, wanted)
    found = dict(zip(wanted.tolist(), explainer.reasons(features, exact=True), strict=True))
    return [
        ("", []) if row is None else (_MOMENTS.get(episode.kind, "when the alert opened"), found[row])
        for episode, row in zip(episodes, rows, strict=True)
    ]


def _deciding_row(episode: Episode) -> int | None:
    """Find the sample that opened the alert or, for a missed incident, came closest to it."""
    scored = np.isfinite(episode.risks)
    if episode.kind == FALSE_ALARM or episode.warned_from is None:
        window = scored & (episode.times == episode.at)
    elif episode.kind == MISS:
        window = scored & (episode.times >= episode.warned_from) & (episode.times < episode.at)
    else:
        opened = [low for low, _ in episode.alerts if episode.warned_from <= low < episode.at]
        window = scored & (episode.times == min(opened, default=-1))
    indices = np.flatnonzero(window)
    return int(episode.rows[indices[episode.risks[indices].argmax()]]) if len(indices) else None
