"""Sources of labels: the source of each incident, and labels from operators' verdicts."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from netops.feedback.records import DISMISSED
from netops.json_types import JsonDict
from netops.telemetry.schema import SOURCE, TELEMETRY
from netops.training.labelled import Labelled
from netops.training.splits import TEST, TRAIN, VALIDATION


def summarize_labels(labelled: Sequence[Labelled]) -> JsonDict:
    """Count labels by their source, for the model card.

    Returns
    -------
    dict
        ``incidents``: source → count (combined sources are separate keys); ``verdicts``: verdict → count;
        ``borne_out`` and ``contradicted``: verdicts that an incident corroborates or contradicts; ``positives`` and
        ``hard_negatives``: training samples with label 1 only by verdicts, and healthy ones of dismissed alerts;
        ``left_out``: samples of validation and test that are excluded from metrics.
    """
    main = labelled[0]
    incidents: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    corroborated = contradicted = left_out = 0
    for dataset in labelled:
        table = dataset.dataset.incidents()
        found_sources = (
            table.column(SOURCE).to_pylist() if SOURCE in table.column_names else [TELEMETRY] * table.num_rows
        )
        incidents.update(found_sources)
        verdicts.update(dataset.verdicts.verdict)
        dismissed = np.array([name == DISMISSED for name in dataset.verdicts.verdict], bool)
        corroborated += int((dataset.verdicts.corroborated & ~dismissed).sum())
        contradicted += int((dataset.verdicts.corroborated & dismissed).sum())
        scored = dataset.split.rows(VALIDATION) | dataset.split.rows(TEST)
        left_out += int((dataset.left_out & scored).sum())
    training = main.split.rows(TRAIN)
    training_labels, plain = main.training_labels, main.labels
    hard = main.verdicts.dismissed(main.sequences)
    return {
        "incidents": dict(sorted(incidents.items())),
        "verdicts": dict(sorted(verdicts.items())),
        "borne_out": corroborated,
        "contradicted": contradicted,
        "positives": int((training & (training_labels == 1) & (plain != 1)).sum()),
        "hard_negatives": int((training & hard & (training_labels == 0)).sum()),
        "left_out": left_out,
    }
