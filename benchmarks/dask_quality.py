"""Models of a Dask cluster against those of one process, on the same examples: average precision and event recall.

Each seed is another network. Its examples are fitted by one process in memory, by four workers, and by one process
again whose random numbers differ: what two fits differ by anyway. Event recall is that on the test split at the
alert budget, whatever threshold validation has chosen.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from netops.alerting.settings import AlertSettings
from netops.compute.cluster import Cluster, connect, local_cluster
from netops.config.durations import MINUTE
from netops.evaluation.assessment import assess_model
from netops.features.build import build_features
from netops.training.examples import Examples, prepare_examples
from netops.training.families.registry import Families
from netops.training.families.xgboost import XGBoost
from netops.training.settings import TrainingSettings
from netops.training.train import train_family

from . import telemetry
from .report import report

SEEDS, WORKERS, DEVICES, TICKS = 5, 4, 300, 8_640
HERE = TrainingSettings(
    horizon=10 * MINUTE,
    cross_fit="never",
    max_rows=250_000,
    max_values=1_000_000_000,
    memory_values=1_000_000_000,
    families=Families(xgboost=XGBoost(n_estimators=100, learning_rate=0.1, early_stopping_rounds=100)),
)
#: Above the values of the examples the workers grow the trees.
THERE = replace(HERE, memory_values=1_000_000)
#: Student's t of a 95% interval with SEEDS - 1 degrees of freedom.
STUDENT = 2.776

Figures = npt.NDArray[np.float64]


def figures(examples: Examples, out: Path, settings: TrainingSettings, cluster: Cluster | None = None) -> Figures:
    """Train; return average precision, event recall within the budget, and the number of trees."""
    card = train_family(examples, "xgboost", settings, out, network="bench", cluster=cluster)
    alerting = AlertSettings()
    found = assess_model(examples, out, alerting).evaluation
    within = found.curve.false_alarms_per_device_day <= alerting.false_alarms_per_device_day
    recall = float(np.nanmax(found.curve.event_recall[within]))
    return np.array([found.figures.average_precision, recall, card.iterations or 0])


def of_seed(seed: int, folder: Path, cluster: Cluster) -> list[Figures]:
    """Return the figures of one process, of the cluster, and of one process with other random numbers."""
    source = telemetry.make(folder / "telemetry", DEVICES, TICKS, seed=seed)
    features = build_features(source, folder / "features", telemetry.spec_of(source))
    examples = prepare_examples(features, HERE, folder / "work")
    other = replace(HERE, seed=HERE.seed + 1 + seed)
    return [
        figures(examples, folder / "one", HERE),
        figures(examples, folder / "cluster", THERE, cluster),
        figures(examples, folder / "other", other),
    ]


def interval(differences: Figures) -> dict[str, float]:
    """Return the mean of paired differences and the half width of its 95% interval."""
    half = STUDENT * differences.std(ddof=1) / np.sqrt(len(differences))
    return {"mean": round(float(differences.mean()), 4), "plus_or_minus": round(float(half), 4)}


def main() -> None:
    """Measure all seeds; the ratio is that of the average precisions."""
    found = []
    with local_cluster(WORKERS) as address, connect(address) as cluster:
        for seed in range(SEEDS):
            with TemporaryDirectory() as folder:
                found.append(of_seed(seed, Path(folder), cluster))
            one, many, other = found[-1]
            report(
                "dask_quality_seed",
                many[0],
                "1 process",
                one[0],
                seed=seed,
                recall=many[1],
                peer_recall=one[1],
                trees=many[2],
                peer_trees=one[2],
                other_seed=other[0],
                other_seed_recall=other[1],
            )
    one, many, other = np.moveaxis(np.array(found), 1, 0)
    differences = {
        f"{what}_{name}_{key}": value
        for what, them in (("cluster", many), ("other_seed", other))
        for name, column in (("average_precision", 0), ("event_recall", 1))
        for key, value in interval(them[:, column] - one[:, column]).items()
    }
    report(
        "dask_quality", float(many[:, 0].mean()), "1 process", float(one[:, 0].mean()), seeds=SEEDS, **differences
    )


if __name__ == "__main__":
    main()
