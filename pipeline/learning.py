"""What both ways have in common, from telemetry to a model in service."""

from functools import partial

from netops.training.families.registry import longest_first
from netops.workflows.records.steps import training_step
from pipeline.engine import Step, enabled_families, only_if, side_by_side, step


def learn(name: str, settings: str, telemetry: object) -> None:
    """Build features, train the families side by side, select the best, and prove and deploy it when it wins."""
    features = step(
        "features",
        params={"settings": settings, "network": name},
        inputs={"telemetry": telemetry},
        outputs=["features"],
    )
    families = enabled_families(settings)

    def train(family: str) -> Step:
        return step(
            "train",
            name=training_step(family),
            params={"network": name, "family": family, "settings": settings},
            inputs={"features": features.outputs["features"]},
            outputs=["model"],
        )

    ordered = longest_first(families)
    trainings = dict(zip(ordered, side_by_side(partial(train, family) for family in ordered), strict=True))
    selection = step(
        "select",
        params={"network": name, "settings": settings},
        inputs={
            "features": features.outputs["features"],
            **{family: trainings[family].outputs["model"] for family in families},
        },
        outputs=["promoted", "best_model", "compared_with", "reason"],
    )
    only_if(
        "promoted",
        selection.outputs["promoted"],
        lambda: step(
            "deploy",
            params={
                "network": name,
                "settings": settings,
                "compared_with": selection.outputs["compared_with"],
                "reason": selection.outputs["reason"],
            },
            inputs={"model": selection.outputs["best_model"], "features": features.outputs["features"]},
            outputs=["endpoint"],
        ),
    )
