"""The registry of model families: a new family is its file and its line here."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_type_hints

from netops.config.binding import option
from netops.training.families.extra_trees import ExtraTrees
from netops.training.families.protocol import Family
from netops.training.families.sklearn import Sklearn
from netops.training.families.tensorflow import TensorFlow
from netops.training.families.xgboost import XGBoost


@dataclass(frozen=True)
class Families:
    """The families by name, each with its hyper-parameters."""

    sklearn: Sklearn = option(Sklearn, help="scikit-learn, histogram gradient boosting")
    xgboost: XGBoost = option(XGBoost, help="XGBoost, histogram gradient boosting")
    tensorflow: TensorFlow = option(TensorFlow, help="TensorFlow, a small multilayer perceptron")
    extra_trees: ExtraTrees = option(ExtraTrees, help="scikit-learn, extremely randomised trees")


#: Family name → its class.
FAMILIES: dict[str, type[Family]] = {
    field.name: get_type_hints(Families)[field.name] for field in dataclasses.fields(Families)
}


def longest_first(families: Iterable[str]) -> list[str]:
    """Sort families by the time of their fits, so that several processes end at about the same time."""
    return sorted(families, key=lambda family: -FAMILIES[family].effort if family in FAMILIES else 0.0)
