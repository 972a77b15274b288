"""Data, then two trainings on it."""

import mlrun
from kfp import dsl


@dsl.pipeline(name="main")
def pipeline(rows=10):
    project = mlrun.get_current_project()
    made = project.run_function("generate", handler="generate", params={"rows": rows}, outputs=["data"])
    for family, score in (("sklearn", 0.6), ("xgboost", 0.8)):
        project.run_function(
            "train",
            name=f"train-{family}",
            handler="train",
            inputs={"data": made.outputs["data"]},
            params={"family": family, "score": score},
            outputs=["model"],
        ).after(made)
