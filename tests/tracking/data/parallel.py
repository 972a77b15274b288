"""Data, then three trainings on it at the same time."""

from concurrent.futures import ThreadPoolExecutor

import mlrun
from kfp import dsl


@dsl.pipeline(name="main")
def pipeline(steps=10):
    project = mlrun.get_current_project()
    made = project.run_function("generate", handler="generate", outputs=["data"])

    def train(family):
        return project.run_function(
            "train",
            name=f"train-{family}",
            handler="train",
            inputs={"data": made.outputs["data"]},
            params={"family": family, "steps": steps},
            outputs=["model"],
        )

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(train, ("sklearn", "xgboost", "tensorflow")))
