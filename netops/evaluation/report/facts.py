"""Description of the telemetry of a run and its incidents, for a report."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from netops.alerting.outcomes import EvaluationSplit
from netops.alerting.sequences import Flags, Floats, Integers
from netops.config.durations import SECOND, format_duration
from netops.evaluation.evaluate import Evaluation
from netops.evaluation.report.groups import Ranges
from netops.evaluation.report.words import counted, lasting, listed, moment, number, percent, titled
from netops.models.card_sections import LabelSources
from netops.training.columns import feature_names
from netops.training.examples import Examples
from netops.training.labelled import Labelled
from netops.training.splits import NONE, SPLITS, TEST, TRAIN, VALIDATION

_SPLITS = {
    "time": "by time: each split is later than the one before, as in service",
    "device": "by device: no device is in two splits",
    "test": "separate test telemetry",
}
_FOLDS = "each is scored by a model of the others, and the model is fitted on all of them"


@dataclass(frozen=True)
class SplitFacts:
    """Counts of one split."""

    name: str
    samples: int
    devices: int
    positives: int
    base_rate: float
    incidents: int
    span: str

    @classmethod
    def of(cls, name: str, split: EvaluationSplit) -> "SplitFacts":
        """Count the samples, devices and incidents of a split."""
        labelled, times = split.labels >= 0, split.sequences.timestamps
        positives = int((split.labels == 1).sum())
        return cls(
            name=name,
            samples=int(labelled.sum()),
            devices=int((np.diff(split.sequences.offsets) > 0).sum()),
            positives=positives,
            base_rate=positives / max(1, int(labelled.sum())),
            incidents=int(split.observed.sum()),
            span=f"{moment(int(times.min()))} to {moment(int(times.max()))}" if len(times) else "",
        )


@dataclass(frozen=True)
class Log:
    """The incidents of one labelled dataset.

    Attributes
    ----------
    start : int64 array
    scenario : tuple of str
    split : int8 array
        The split of each incident: ``TRAIN``, ``VALIDATION``, ``TEST`` or ``NONE``.
    counted : bool array
        Those that could be predicted.
    """

    start: Integers
    scenario: tuple[str, ...]
    split: Integers
    counted: Flags

    @classmethod
    def of(cls, labelled: Labelled) -> "Log":
        """Assign each incident to its split."""
        incidents, split = labelled.incidents, labelled.split
        observed = incidents.observed(labelled.sequences, labelled.horizon)
        return cls(incidents.start, incidents.scenario, _split_of(labelled, split.kind), observed)


def _split_of(labelled: Labelled, kind: str) -> Integers:
    incidents, split = labelled.incidents, labelled.split
    if kind == "time":
        found = np.searchsorted(np.asarray(split.boundaries), incidents.start, side="right")
        return np.where(found == VALIDATION, TRAIN, found) if split.folds else found
    if kind == "test":
        return np.full(len(incidents), TEST)
    index = {name: number for number, names in enumerate(split.devices) for name in names}
    of_device = np.array([index.get(name, NONE) for name in labelled.sequences.devices], dtype=np.int64)
    return of_device[incidents.device]


def logs_of(examples: Examples) -> list[Log]:
    """List the incidents of all telemetry: the main dataset, and the separate test dataset if there is one."""
    return [Log.of(labelled) for labelled in examples.labelled]


def splits_of(examples: Examples, validation: EvaluationSplit, test: EvaluationSplit) -> list[SplitFacts]:
    """Count the training, validation and test split."""
    splits = (examples.labelled[0].evaluation_split(TRAIN), validation, test)
    return [SplitFacts.of(title, split) for title, split in zip(("training", *SPLITS[1:]), splits, strict=True)]


def scenarios_of(
    logs: list[Log], warned: dict[str, tuple[int, int]], evaluation: Evaluation
) -> list[dict[str, object]]:
    """Count incidents by scenario and part.

    Parameters
    ----------
    logs : list of Log
    warned : dict
        Scenario → predicted incidents and all incidents of the test split.
    evaluation : Evaluation
        Of the same warnings.
    """
    figures = evaluation.groups.get("scenario", {})
    intervals = evaluation.group_intervals.get("scenario", {})
    names = sorted({name for log in logs for name in log.scenario if name})
    rows = []
    for name in names:
        counts = [_count(logs, name, split) for split in (TRAIN, VALIDATION, TEST)]
        hits, held = warned.get(name, (0, 0))
        rows.append(
            {
                "name": titled(name),
                "counts": counts,
                "warned": f"{hits} of {held}" if held else "",
                "none": not hits,
                "figures": figures.get(name),
                "ranges": Ranges.of(figures[name], intervals[name]) if name in figures else None,
            }
        )
    return rows


def _count(logs: list[Log], name: str, split: int) -> int:
    same = [np.array([scenario == name for scenario in log.scenario], dtype=bool) for log in logs]
    return int(sum((mine & log.counted & (log.split == split)).sum() for mine, log in zip(same, logs, strict=True)))


def telemetry_facts(examples: Examples) -> list[tuple[str, str]]:
    """Describe the telemetry, one line per fact."""
    main = examples.labelled[0]
    meta, windows = main.dataset.meta, (examples.info["spec"] or {}).get("windows", [])
    times = main.sequences.timestamps
    first, last = int(times.min()), int(times.max())
    facts = [
        ("Source", meta.source or "not specified"),
        ("Samples", f"{meta.samples:,} of {counted(meta.devices, 'device')}"),
        ("Time", f"{moment(first)} to {moment(last)} UTC ({lasting((last - first) / SECOND)})"),
        ("Sampling interval", f"{lasting(meta.interval_seconds)} (median)"),
        ("Metrics", _shortened([titled(name) for name in meta.metrics])),
        ("Windows", listed([format_duration(window) for window in windows]) or "none"),
        ("Horizon", format_duration(examples.horizon)),
        ("Features", f"{len(examples.names)} of {len(feature_names(main.dataset))} are used"),
        ("Split", _SPLITS[main.split.kind] if len(examples.labelled) == 1 else _SPLITS["test"]),
    ]
    if examples.folds:
        facts.append(
            ("Cross-fitting", f"training and validation are the same samples, in {examples.folds} folds: {_FOLDS}")
        )
    if meta.left_out:
        facts.append(("Excluded", _shortened([f"{name} ({why})" for name, why in meta.left_out.items()], 5)))
    return facts + _labels(examples.info["data"].get("labels", {})) + _training(examples)


def _labels(sources_of_labels: LabelSources) -> list[tuple[str, str]]:
    """Describe the sources of the labels."""
    facts = []
    if sources := sources_of_labels.get("incidents"):
        facts.append(("Incidents", listed([f"{count:,} from {source}" for source, count in sources.items()])))
    if verdicts := sources_of_labels.get("verdicts"):
        texts = listed([f"{counted(count, 'alert')} {verdict}" for verdict, count in verdicts.items()])
        facts.append(("Operators", " ".join([f"{texts}.", *_made_of(sources_of_labels)])))
    return facts


def _made_of(sources_of_labels: LabelSources) -> Iterator[str]:
    """Return the effect of verdicts on the labels."""
    if count := sources_of_labels["positives"]:
        yield f"In training, only verdicts label {counted(count, 'sample')} as before a failure."
    if count := sources_of_labels["hard_negatives"]:
        yield f"Healthy samples of dismissed alerts are all used: {count:,}."
    if count := sources_of_labels["left_out"]:
        yield f"Verdicts answer a model's own alerts: figures leave out {counted(count, 'sample')} of such alerts."
    if count := sources_of_labels["borne_out"]:
        yield f"An incident agrees with {counted(count, 'verdict')}."
    if count := sources_of_labels["contradicted"]:
        yield f"An incident denies {counted(count, 'dismissal')}, and counts."


def _training(examples: Examples) -> list[tuple[str, str]]:
    data = examples.info["data"]
    if not examples.supervised:
        return [("Fitted on", f"the training split, {data['samples']:,} samples; no label is used")]
    rows = f"{data['rows']:,} rows, {data['positives']:,} of them within the horizon of an incident"
    weighting = f"healthy ones thinned and weighted to represent {data['samples']:,} samples"
    same = f"base rate {percent(data['base_rate'])}, fingerprint {data['fingerprint']}"
    thinned = data["samples"] > data["rows"]
    return [("Fitted on", "; ".join([rows, weighting, same] if thinned else [rows, same]))]


def _shortened(words: list[str], most: int = 12) -> str:
    if len(words) <= most:
        return listed(words) or "none"
    return f"{', '.join(words[:most])} and {number(len(words) - most)} more"


def lead_steps(leads: Floats, incidents: int) -> tuple[Floats, Floats]:
    """Return the fraction of incidents that were predicted at least a lead time ahead, as a step function."""
    rising = np.sort(leads)
    left = np.arange(len(rising), -1, -1) / max(1, incidents)
    return np.concatenate([[0.0], rising]), left
