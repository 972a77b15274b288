"""XGBoost: gradient-boosted trees, histogram method."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from netops.config.binding import option
from netops.models.fitted import Floats
from netops.models.onnx_graph import Graph
from netops.models.trees import Trees
from netops.training.families.on_cluster import Trained, train_on
from netops.training.families.pages import matrices_of
from netops.training.families.protocol import FitData
from netops.training.families.space import Between, Space

if TYPE_CHECKING:
    from xgboost import Booster


@dataclass(frozen=True)
class XGBoost:
    """Hyper-parameters of the XGBoost family."""

    takes_missing: ClassVar[bool] = True
    takes_pieces: ClassVar[bool] = True
    limit: ClassVar[float] = 1e9
    libraries: ClassVar[tuple[str, ...]] = ("xgboost",)
    rounds: ClassVar[str | None] = "n_estimators"
    effort: ClassVar[float] = 1.0
    space: ClassVar[Space] = {
        "max_depth": Between(2, 8),
        "learning_rate": Between(0.02, 0.3, log=True),
        "min_child_weight": Between(1.0, 50.0, log=True),
        "reg_lambda": Between(0.1, 30.0, log=True),
        "subsample": Between(0.5, 1.0),
        "colsample_bytree": Between(0.15, 1.0),
    }

    enabled: bool = option(True, help="whether the family is trained")
    n_estimators: int = option(400, help="trees; early stopping keeps fewer", minimum=1, maximum=5_000, was="trees")
    max_depth: int = option(4, help="depth of a tree", minimum=1, maximum=12, was="depth")
    learning_rate: float = option(0.05, help="shrinkage of each tree", minimum=1e-4, maximum=1)
    min_child_weight: float = option(5.0, help="smallest hessian weight of a leaf", minimum=0)
    reg_lambda: float = option(1.0, help="L2 penalty on leaf values", minimum=0, was="l2")
    subsample: float = option(0.8, help="fraction of rows each tree sees", minimum=0.1, maximum=1, was="row_share")
    colsample_bytree: float = option(
        0.3, help="fraction of features each", minimum=0.05, maximum=1, was="column_share"
    )
    early_stopping_rounds: int = option(20, help="trees without gain before it stops", minimum=1, was="patience")

    def load(self, threads: int) -> None:
        """Import XGBoost."""
        import xgboost  # noqa: F401

    def fit(self, data: FitData, seed: int, threads: int) -> "FittedXGBoost":
        """Fit on weighted rows, stopping early on the average precision of those set aside."""
        trained = self._train(data, self._parameters(seed, threads), threads)
        booster, rounds = trained.booster, self.n_estimators
        if data.stops_early:  # a handful of incidents set aside may be best ranked by the first trees, by luck
            rounds = max(booster.best_iteration + 1, min(self.early_stopping_rounds, booster.num_boosted_rounds()))
        return FittedXGBoost(booster[:rounds], threads, trained.workers)

    def _train(self, data: FitData, parameters: dict[str, object], threads: int) -> Trained:
        if data.on_disk and data.cluster is not None:
            return train_on(data.cluster, data, parameters, self.n_estimators, self.early_stopping_rounds)
        import xgboost

        matrices = matrices_of(data, threads)
        booster = xgboost.train(
            parameters,
            matrices[0],
            self.n_estimators,
            evals=[(matrix, f"part_{index}") for index, matrix in enumerate(matrices)][1:],
            early_stopping_rounds=self.early_stopping_rounds if data.stops_early else None,
            verbose_eval=False,
        )
        return Trained(booster, 0)

    def _parameters(self, seed: int, threads: int) -> dict[str, object]:
        return {
            "objective": "binary:logistic",
            "eval_metric": "aucpr",
            "tree_method": "hist",
            "max_depth": self.max_depth,
            "learning_rate": self.learning_rate,
            "min_child_weight": self.min_child_weight,
            "lambda": self.reg_lambda,
            "subsample": self.subsample,
            "colsample_bytree": self.colsample_bytree,
            "seed": seed,
            "nthread": threads,
            "verbosity": 0,
        }


class FittedXGBoost:
    """A fitted booster.

    Parameters
    ----------
    booster : xgboost.Booster
    threads : int
        Of predictions.
    workers : int
        Of the cluster that has grown the trees; 0: this process.
    """

    def __init__(self, booster: "Booster", threads: int, workers: int = 0) -> None:
        self.booster, self.workers = booster, workers
        booster.set_param({"nthread": threads})

    @property
    def iterations(self) -> int:
        """Fitted trees."""
        return int(self.booster.num_boosted_rounds())

    def predict(self, scaled: Floats) -> npt.NDArray[np.float64]:
        """Score by XGBoost itself."""
        return self.booster.inplace_predict(scaled).astype(np.float64)

    def build(self, graph: Graph, scaled: str) -> str:
        """Add the trees to an ONNX graph."""
        return self.trees().build(graph, scaled)

    def trees(self) -> Trees:
        """Read the ensemble out of XGBoost's own JSON form."""
        learner = json.loads(bytes(self.booster.save_raw("json")))["learner"]
        trees = learner["gradient_booster"]["model"]["trees"]
        starts = np.cumsum([0, *(len(tree["left_children"]) for tree in trees)])
        # XGBoost stores removed nodes of a pruned tree as unreachable nodes, which have no effect here either.
        left, right = (_children(trees, side, starts) for side in ("left_children", "right_children"))
        leaf = left < 0
        conditions = _joined(trees, "split_conditions", np.float32)
        risk = float(learner["learner_model_param"]["base_score"].strip("[]"))
        return Trees(
            base=float(np.log(risk / (1 - risk))),
            strict=True,
            starts=starts.astype(np.int64),
            feature=np.where(leaf, -1, _joined(trees, "split_indices", np.int32)).astype(np.int32),
            threshold=np.where(leaf, np.float32(0), conditions),
            value=np.where(leaf, conditions, np.float32(0)),
            left=left,
            right=right,
            missing_left=_joined(trees, "default_left", np.int8).astype(bool) & ~leaf,
            cover=_joined(trees, "sum_hessian", np.float32),
        )


Number = TypeVar("Number", bound=np.generic)


def _joined(trees: list[dict[str, list[float]]], key: str, kind: type[Number]) -> npt.NDArray[Number]:
    return np.concatenate([np.asarray(tree[key], kind) for tree in trees])


def _children(
    trees: list[dict[str, list[float]]], side: str, starts: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    local = _joined(trees, side, np.int64)
    return np.where(local < 0, -1, local + np.repeat(starts[:-1], np.diff(starts))).astype(np.int32)
