"""Numbers among the results of a run: Kubeflow takes each for a metric, twice where a step has retries."""

import pytest

from netops.tracking.results import log_figures, results_of

LIMIT = 50
#: Numbers that the other stages log; deploy, which has no retries, logs two more.
OTHERS, ONCE = 7, 2
FIGURES = {
    "version": "abc",
    "average_precision": 0.6,
    "roc_auc": 0.9,
    "base_rate": 0.01,
    "event_recall": 0.8,
    "false_alarms_per_device_day": 0.1,
    "median_lead_seconds": None,
    "threshold": 0.5,
    "fit_seconds": 12.0,
    "rows": 1000,
}


class Context:
    """Keeps what is logged."""

    def log_results(self, results):
        self.run = {"status": {"results": results}}


@pytest.mark.parametrize("families", [1, 3, 5, 9])
def test_a_pipeline_stays_below_what_kubeflow_keeps(families) -> None:
    context = Context()
    log_figures(context, FIGURES, families)
    shown = [key for key, value in context.run["status"]["results"].items() if isinstance(value, (int, float))]
    assert "average_precision" in shown
    assert 2 * (families * len(shown) + OTHERS) + ONCE <= LIMIT


def test_nothing_is_lost() -> None:
    context = Context()
    log_figures(context, FIGURES, 3)
    assert results_of(context.run) == FIGURES
    assert results_of({"status": {"results": {"rows": 1}}}) == {"rows": 1}  # as runs before had it
