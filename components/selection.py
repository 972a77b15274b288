"""Stage: select the best model, and decide whether it replaces the champion."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mlrun import DataItem, MLClientCtx

from netops import progress, registry
from netops.alerting.sequences import Floats
from netops.evaluation import plots
from netops.evaluation.assessment import (
    Assessment,
    assess_baseline,
    assess_clock,
    assess_deviations,
    assess_model,
    baseline_risks,
)
from netops.evaluation.clock_incidents import WithoutClock, without_clock
from netops.evaluation.comparison import compare_with_champion
from netops.evaluation.promotion import Decision
from netops.evaluation.report.cautions import (
    clock_incidents,
    near_perfect,
    no_better_than_clock,
    no_better_than_deviations,
)
from netops.evaluation.report.figures import BASELINE, CLOCK
from netops.evaluation.report.write import write_report
from netops.evaluation.selection import Choice, choose_best
from netops.evaluation.static_baseline import StaticThresholds
from netops.evaluation.trained import vote_model
from netops.models.card import read_card
from netops.models.deviations import DEVIATIONS
from netops.models.vote import VOTE
from netops.telemetry.dataset import Dataset
from netops.threads import Calls
from netops.tracking.folders import local_folder, local_model, new_folder, work_folder
from netops.training.examples import Examples, prepare_examples
from netops.training.train import split_risks
from netops.workflows.settings import Settings
from netops.workflows.stages.dask import compute_cluster
from netops.workflows.stages.stage import stage
from netops.workflows.stages.unlabelled import select_without_labels
from netops.workflows.stages.versions import figures_of, log_version
from netops.workflows.stages.winner import champion_files, known, log_report, not_rejected


class _Vote(NamedTuple):
    """The vote of the trained models: its folder and address, what it is worth, and its figures for the summary."""

    folder: Path
    address: str
    assessment: Assessment
    figures: Mapping[str, object]


@stage
def select(context: MLClientCtx, features: DataItem, network: str, settings: str) -> None:
    """Select a trained model by validation average precision, and decide whether to promote it.

    Parameters
    ----------
    features : mlrun.DataItem
        The features dataset that the models were trained on. The other inputs are the models, by family.
    network : str
        Whose models they are.

    Where the labels are too few to train on, the winner is the model without labels.

    Logs the leaderboard with the baseline, the decision with its reasons, plots, and the ``report`` of the run.
    The model in service is unchanged: the next stage verifies the winner first.
    """
    chosen = Settings.from_json(settings)
    options, alerting, seed = chosen.training, chosen.alerting, chosen.training.seed
    dataset = Dataset.open(local_folder(features))
    with compute_cluster(chosen.compute) as cluster:
        examples = prepare_examples(dataset, options, work_folder(context) / "examples", progress.report, cluster)
    if not examples.supervised:
        select_without_labels(context, examples, network, chosen)
        return
    trained = {name: context.get_input(name) for name in context.inputs if name != "features"}
    models = {family: local_model(model) for family, model in trained.items()}
    addresses = {family: model.artifact_url for family, model in trained.items()}
    with Calls() as calls:
        assessed = {name: calls.start(assess_model, examples, one, alerting, seed) for name, one in models.items()}
        thresholds = calls.start(assess_baseline, examples, alerting, seed)
        others = {
            CLOCK: calls.start(assess_clock, examples, alerting, seed),
            DEVIATIONS: calls.start(assess_deviations, examples, alerting, seed),
        }
        vote = _vote(context, network, examples, models, chosen)
    assessments = {name: future.result() for name, future in assessed.items()}
    if vote:
        models[VOTE], addresses[VOTE], assessments[VOTE] = vote.folder, vote.address, vote.assessment
    baseline, assessments[BASELINE], static_risks = thresholds.result()
    tests = {BASELINE: static_risks}
    for name, future in others.items():
        assessments[name], tests[name] = future.result()
    choice = choose_best(
        examples.evaluation_split("validation"),
        {name: split_risks(examples, folder, "validation") for name, folder in models.items()},
        seed=seed,
    )
    champion = registry.champion(network)
    with compute_cluster(chosen.compute) as cluster:
        decision = not_rejected(network, read_card(models[choice.best])) or compare_with_champion(
            examples,
            models[choice.best],
            champion_files(champion),
            alerting,
            chosen.promotion,
            seed,
            rivals=[folder for name, folder in models.items() if name != choice.best],
            baseline=baseline_risks(baseline, examples, "validation", seed),
            cluster=cluster,
        )
    rest = _log(context, network, examples, models, assessments, choice, decision, chosen, baseline, tests)
    found = assessments[choice.best].evaluation.figures
    doubts = (
        near_perfect(found, dataset.meta.source),
        no_better_than_clock(assessments, choice.best),
        no_better_than_deviations(assessments, choice.best),
        clock_incidents(rest, choice.best, found),
    )
    context.log_results(
        {
            "best": choice.best,
            "best_model": addresses[choice.best],
            "promoted": str(decision.promoted).lower(),
            "reason": f"{choice.reason}; {decision.reason}",
            "warnings": [doubt for doubt in doubts if doubt],
            "compared_with": champion.version if champion else "none",
            "champion": {"family": champion.family, "version": champion.version} if champion else None,
            "rows": len(examples.array("validation")),
            **({VOTE: vote.figures} if vote else {}),
        }
    )


def _vote(
    context: MLClientCtx, network: str, examples: Examples, models: dict[str, Path], settings: Settings
) -> _Vote | None:
    """Build the vote of the trained models and log it as a version like theirs.

    Returns
    -------
    _Vote or None
        None if the vote is disabled, or fewer than two models can vote.
    """
    folder = work_folder(context) / "models" / VOTE
    made = vote_model(examples, models, settings.training, settings.alerting, folder, network=network)
    if made is None:
        return None
    card, assessment = made
    if logged := known(network, card.version):  # by an earlier attempt
        address = logged.uri
    else:
        artifact = log_version(context, network, examples, folder, card, assessment, settings.monitoring)
        address = artifact.get_store_url(with_tag=False)
    return _Vote(folder, address, assessment, figures_of(card, assessment, examples))


def _log(
    context: MLClientCtx,
    network: str,
    examples: Examples,
    models: dict[str, Path],
    assessments: Mapping[str, Assessment],
    choice: Choice,
    decision: Decision,
    settings: Settings,
    baseline: StaticThresholds,
    baselines_test: Mapping[str, Floats],
) -> WithoutClock | None:
    """Log the leaderboard with the baselines, how the choice was made, and the report of the run.

    Returns
    -------
    WithoutClock or None
        The figures without the incidents that follow the clock, if there are some.
    """
    alerting, seed = settings.alerting, settings.training.seed
    static_assessment = assessments[BASELINE]
    risks = {name: split_risks(examples, folder, "test") for name, folder in models.items()}
    rest = without_clock(
        examples.evaluation_split("test"),
        risks | dict(baselines_test),
        {name: assessment.policy for name, assessment in assessments.items()},
        examples.labelled[-1].dataset.meta.interval_seconds,
        seed,
    )
    names = {"baseline": BASELINE, "clock": CLOCK, "without_labels": DEVIATIONS}
    context.log_results({key: assessments[name].figures() for key, name in names.items()})
    leaderboard = {name: assessment.evaluation.to_dict() for name, assessment in assessments.items()}
    context.log_artifact("leaderboard", body=json.dumps(leaderboard), format="json", local_path="leaderboard.json")
    summary = {
        "choice": choice.reason,
        "validation_average_precision": choice.average_precision,
        "promoted": decision.promoted,
        "reasons": list(decision.reasons),
        "baseline": baseline.describe(static_assessment.policy.threshold),
    }
    context.log_artifact("decision", body=json.dumps(summary), format="json", local_path="decision.json")
    evaluations = {name: assessment.evaluation for name, assessment in assessments.items()}
    drawn = {
        "precision_recall": plots.precision_recall_plot(evaluations),
        "false_alarms": plots.false_alarms_plot(evaluations, alerting.false_alarms_per_device_day),
    }
    for key, picture in drawn.items():
        context.log_artifact(key, body=picture, format="png", local_path=f"plots/{key}.png")
    report = write_report(
        new_folder(context, "report.html"),
        network=network,
        examples=examples,
        models=models,
        assessments=assessments,
        choice=choice,
        decision=decision,
        baseline=baseline,
        baseline_risks=baselines_test[BASELINE],
        without=rest,
        run_id=context.labels.get("workflow", ""),
        seed=seed,
    )
    log_report(context, report)
    return rest
