"""The model server that the benchmark compares with: MLRun's V2 protocol over the native XGBoost model."""

from pathlib import Path
from typing import Any

import mlrun
import numpy as np
import xgboost

from .serving import NATIVE


class XGBoostModel(mlrun.serving.V2ModelServer):
    """A V2 model server as its users write one."""

    def load(self) -> None:
        """Load the native model."""
        self.model = xgboost.XGBClassifier()
        self.model.load_model(Path(self.model_path) / NATIVE)
        self.model.set_params(n_jobs=1)

    def predict(self, request: dict[str, Any]) -> list[float]:
        """Score the rows of a request."""
        return self.model.predict_proba(np.array(request["inputs"]))[:, 1].tolist()
