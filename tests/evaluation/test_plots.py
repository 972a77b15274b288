"""Pictures, also of nothing."""

import numpy as np

from netops.alerting.policy import AlertPolicy
from netops.evaluation import plots
from netops.evaluation.evaluate import evaluate
from tests.evaluation.worlds import HORIZON, make_split, risks_of


def test_plots_are_pictures():
    evaluated = make_split(devices=5)
    found = evaluate(evaluated, risks_of(evaluated.labels, 3), AlertPolicy(0.6, 2, HORIZON))
    nothing = evaluate(evaluated, np.zeros(len(evaluated.labels)), AlertPolicy(0.6, 2, HORIZON))
    for one in (found, nothing):
        pictures = [
            plots.precision_recall_plot({"a": one, "b": found}),
            plots.false_alarms_plot({"a": one}, 1 / 7),
            plots.lead_time_plot(one, HORIZON),
            plots.reliability_plot(one),
            plots.confusion_plot(one.confusion),
        ]
        assert all(picture.startswith(b"\x89PNG") for picture in pictures)
