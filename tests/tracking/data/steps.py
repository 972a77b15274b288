"""The code of a small project: it makes data, and trains on it."""

import time

import pandas as pd


def generate(context, rows=10):
    print(f"{rows} rows")
    context.log_dataset("data", df=pd.DataFrame({"a": range(rows)}), format="csv", index=False)
    context.log_result("rows", rows)


def train(context, data, family="x", score=0.5, steps=1):
    for step in range(steps):
        print(f"{family} step {step}")
        context.logger.info(f"{family} logs {step}")
        time.sleep(0.002)
    context.set_label("family", family)
    context.log_model("model", body=family.encode(), model_file="model.bin", metrics={"score": score})
    context.log_result("score", score)
    context.log_result("rows", len(data.as_df()))


def fail(context):
    print("about to fail")
    raise ValueError("no luck")


def score(context, p=1):
    context.log_result("score", p * 10)
    context.log_artifact("note", body=f"p={p}", format="txt")


def search(context, trials=4, broken=3):
    from netops.tracking.iterations import Iterations
    from netops.training.search import Trial

    iterations = Iterations(context)
    for number in range(1, trials + 1):
        params = {"depth": number, "layers": [64, 32], "l2": number / 2}
        error = "no luck" if number == broken else ""
        iterations(Trial(number, params, 0.0 if error else number % 4 / 10, 0.25, 7 * number, error))
    iterations.close()
    context.log_result("average_precision", 0.9)
