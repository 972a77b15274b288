"""Settings of the training (configurations/training.yaml)."""

import sys
from dataclasses import dataclass, fields

from netops.config.binding import Duration, option
from netops.config.durations import SECOND
from netops.errors import UsageError
from netops.training.families.protocol import Family
from netops.training.families.registry import Families

#: Incidents in training and validation together from which one split is enough.
CROSS_FIT_BELOW = 120
#: The default horizon.
HORIZON_INTERVALS = 120


@dataclass(frozen=True)
class TrainingSettings:
    """How the models are trained."""

    horizon: Duration | None = option(
        None, help="how far ahead to predict; null: 120 sampling intervals, 10m at 5 s", unit="duration"
    )
    split: str = option("time", help="how validation and test splits are held out", choices=("time", "device"))
    cross_fit: str = option(
        "auto",
        help="whether each sample of training and validation is scored by a model that has not seen it, and the "
        "model is fitted on both: where both hold fewer than 120 incidents, always or never",
        choices=("auto", "always", "never"),
    )
    max_rows: int = option(
        150_000, help="training rows at most; healthy ones are thinned and weighted", minimum=1_000
    )
    max_values: int = option(10_000_000, help="training rows × features at most, for wide data", minimum=100_000)
    memory_values: int = option(
        25_000_000,
        help="maximum of training rows × features in memory; XGBoost reads more from disk, the others thin",
        minimum=100_000,
    )
    max_features: int = option(150, help="maximum number of features of a model", minimum=1, maximum=5_000)
    early_share: float = option(
        0.2, help="fraction of the training incidents set aside for early stopping", minimum=0, maximum=0.5
    )
    nearness: bool = option(False, help="whether samples near their failure weigh more in a fit than early ones")
    vote: bool = option(True, help="whether the mean of all families is a candidate, too")
    trials: int | None = option(
        None,
        help="sets of hyper-parameters tried for each family, the configured one first",
        minimum=1,
        maximum=10_000,
    )
    budget: Duration | None = option(
        None, help="instead of trials: time budget of the search, for all families in parallel", unit="duration"
    )
    seed: int = option(0, help="the same seed and data give the same models", minimum=0)
    threads: int = option(1, help="threads of each fit; other numbers may round sums differently", minimum=1)
    families: Families = option(Families, help="hyper-parameters of each model family")

    def __post_init__(self) -> None:
        """Raise if the search is not possible."""
        if self.trials and self.budget:
            raise UsageError("training: trials and budget exclude each other; leave one of them null")
        if (self.trials or self.budget) and not self.early_share:
            raise UsageError(
                "training: early_share: 0 leaves no incidents to evaluate trials; set it above 0, or search nothing"
            )
        if (self.trials or self.budget) and self.cross_fit == "always":
            raise UsageError("training: cross_fit: a search is not cross-fitted; set it to auto, or search nothing")

    @property
    def cross_fit_below(self) -> int:
        """Incidents of training and validation below which they are cross-fitted; a search never is."""
        if self.cross_fit == "auto":
            return 0 if self.trials or self.budget else CROSS_FIT_BELOW
        return sys.maxsize if self.cross_fit == "always" else 0

    def family(self, name: str) -> Family:
        """Return the hyper-parameters of a family of the registry."""
        family: Family = getattr(self.families, name)
        return family

    def horizon_for(self, interval_seconds: float) -> int:
        """Return the horizon in nanoseconds for telemetry of a sampling interval."""
        return self.horizon or max(1, round(interval_seconds * HORIZON_INTERVALS * SECOND))

    @property
    def enabled_families(self) -> list[str]:
        """Name the families that take part.

        Raises
        ------
        UsageError
            If none does.
        """
        names = [field.name for field in fields(self.families) if self.family(field.name).enabled]
        if not names:
            raise UsageError("training: families: every family is switched off; enable one")
        return names
