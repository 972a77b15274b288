"""Merge feedback on a network into its telemetry before training."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from netops import progress
from netops.client.feedback import LocalFeedbackClient, fetch_feedback
from netops.errors import brief
from netops.feedback.merging import merge_feedback
from netops.feedback.records import Feedback, read_feedback
from netops.serving.requests.access import read_token
from netops.telemetry.dataset import Dataset, Meta
from netops.telemetry.settings import IGNORE, TelemetrySettings


def with_feedback(dataset: Dataset, network: str, settings: TelemetrySettings) -> Dataset:
    """Merge feedback on a network into a copy of the dataset, and report counts.

    Parameters
    ----------
    dataset : Dataset
        Telemetry, in a folder that is used exclusively; feedback is merged into its test telemetry as well.
    network : str
    settings : TelemetrySettings
        Location of the feedback.

    Raises
    ------
    NetopsError
        If it cannot be read or fetched.
    """
    feedback = feedback_of(network, settings)
    if not feedback.incidents and not feedback.verdicts:
        return dataset
    if dataset.test is not None:
        merge_feedback(dataset.test, feedback)
    merged = merge_feedback(dataset, feedback)
    for line in summary_lines(merged.meta):
        progress.say(line)
    return merged


def merge_into_copy(dataset: Dataset, network: str, settings: TelemetrySettings, scratch: Path) -> Dataset:
    """Merge feedback into telemetry; if that is the user's own, into a copy in ``scratch``."""
    feedback = feedback_of(network, settings)
    if not feedback.incidents and not feedback.verdicts:
        return dataset
    if scratch.resolve() not in dataset.path.resolve().parents:
        # Merging replaces files and never writes into them, so a link is as good as a copy.
        dataset = Dataset.open(Path(shutil.copytree(dataset.path, scratch / "merged", copy_function=_link)))
    return merge_feedback(dataset, feedback)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def feedback_of(network: str, settings: TelemetrySettings) -> Feedback:
    """Read feedback on a network from the configured location."""
    where = settings.feedback
    if where is None:
        return LocalFeedbackClient(network).feedback()
    if where == IGNORE:
        return Feedback(network=network)
    if "://" in where:
        return fetch_feedback(where, read_token())
    return read_feedback(Path(where).expanduser())


def summary_lines(meta: Meta) -> Iterator[str]:
    """Return one line each for merged and ignored feedback."""
    found = meta.details.get("feedback", {})
    counts = dict(found.get("counts", {}))
    merged = [_counted(counts.pop(what), what) for what in ("incidents", "verdicts") if what in counts]
    yield f"feedback: {', '.join(merged) or 'none for this telemetry'}"
    for what, count in counts.items():
        yield f"feedback set aside: {_counted(count, what)}"
    if unknown := found.get("devices_without_telemetry"):
        yield f"devices without telemetry: {brief(unknown)}"


def _counted(count: int, what: str) -> str:
    noun, _, rest = what.partition(" ")
    return f"{count} {noun if count != 1 else noun.removesuffix('s')} {rest}".rstrip()
