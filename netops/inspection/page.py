"""Write an inspection as an HTML file."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from netops.evaluation.report.facts import Log
from netops.evaluation.report.timeline import Timeline
from netops.evaluation.report.words import counted, lasting
from netops.evaluation.report.write import render
from netops.files import write_text
from netops.inspection.content import Inspection
from netops.telemetry.times.parsing import parse_times
from netops.training.splits import NONE

TEMPLATE = "inspection.html.j2"


def write_page(path: Path, found: Inspection) -> Path:
    """Write an inspection as a self-contained HTML file, atomically."""
    content = {
        "found": found,
        "meta": found.meta,
        "timeline": _timeline(found),
        "counted": counted,
        "lasting": lasting,
    }
    write_text(path, render(content, TEMPLATE, Path(__file__).parent))
    return path


def _timeline(found: Inspection) -> str:
    """Return the timeline of the incidents, by split if one works."""
    log = next((plan.log for plan in found.plans if plan.log is not None), None) or _unsplit(found)
    if not len(log.start):
        return ""
    times = [found.meta.details[edge] for edge in ("first", "last")]
    first, last = parse_times(pa.array(times))[0].tolist()
    return Timeline([log], None, (first, last)).draw()


def _unsplit(found: Inspection) -> Log:
    table = found.dataset.incidents()
    starts = table.column("start").cast("int64").to_numpy()
    kinds = table.column("scenario").to_pylist() if "scenario" in table.column_names else [""] * len(starts)
    return Log(starts, tuple(kinds), np.full(len(starts), NONE), np.zeros(len(starts), bool))
