"""The run report, written as one HTML file."""

from collections.abc import Mapping
from pathlib import Path

from netops.alerting.sequences import Floats
from netops.evaluation.assessment import Assessment
from netops.evaluation.clock_incidents import WithoutClock
from netops.evaluation.promotion import Decision
from netops.evaluation.report.content import Content
from netops.evaluation.report.words import closely, lasting, number, percent, significant, titled
from netops.evaluation.selection import Choice
from netops.evaluation.static_baseline import StaticThresholds
from netops.files import write_text
from netops.training.examples import Examples

TEMPLATE = "report.html.j2"


def write_report(
    path: Path,
    *,
    network: str,
    examples: Examples,
    models: Mapping[str, Path],
    assessments: Mapping[str, Assessment],
    choice: Choice,
    decision: Decision,
    baseline: StaticThresholds | None = None,
    baseline_risks: Floats | None = None,
    without: WithoutClock | None = None,
    run_id: str = "",
    seed: int = 0,
) -> Path:
    """Write the report of a run as one self-contained HTML file.

    Parameters
    ----------
    path : Path
        The file; it appears whole or not at all.
    network : str
    examples : Examples
        The data that the models were trained and evaluated on.
    models : mapping
        Family → model folder.
    assessments : mapping
        Family → assessment; the static thresholds as ``static_threshold``.
    choice : Choice
        Which of them is best, on validation.
    decision : Decision
        Whether it is promoted.
    baseline : StaticThresholds, optional
        The static thresholds, for their description.
    baseline_risks : float64 array, rows of the test split, optional
        Their risks, to draw their alerts next to those of the best model.
    without : WithoutClock, optional
        Metrics without the incidents that follow the clock, if any.
    run_id : str
        Of the run, if any.
    seed : int
        Of the sample that feature importance is measured on.

    Returns
    -------
    Path
        ``path``.
    """
    content = Content(
        network, examples, models, assessments, choice, decision, baseline, baseline_risks, without, seed
    )
    write_text(path, render(content.everything() | {"run_id": run_id}))
    return path


def render(content: Mapping[str, object], template: str = TEMPLATE, folder: Path | None = None) -> str:
    """Render a template of this folder, or of another one that may include these."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([path for path in (folder, Path(__file__).parent) if path]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "percent": percent,
        "significant": significant,
        "closely": closely,
        "lasting": lasting,
        "titled": titled,
    }
    return environment.get_template(template).render(content)
