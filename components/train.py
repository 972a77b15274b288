"""Stage: train one model family, choose its threshold, take its figures."""

from mlrun import DataItem, MLClientCtx

from netops import progress
from netops.evaluation import plots
from netops.evaluation.assessment import Assessment
from netops.evaluation.trained import train_model
from netops.telemetry.dataset import Dataset
from netops.tracking.folders import local_folder, work_folder
from netops.tracking.iterations import Iterations
from netops.tracking.results import log_figures
from netops.training.examples import prepare_examples
from netops.workflows.context import pipeline_run
from netops.workflows.settings import Settings
from netops.workflows.stages.dask import compute_cluster
from netops.workflows.stages.stage import stage
from netops.workflows.stages.unlabelled import skip_training
from netops.workflows.stages.versions import figures_of, log_version


@stage
def train(context: MLClientCtx, features: DataItem, network: str, family: str, settings: str) -> None:
    """Train one family on a features dataset.

    Parameters
    ----------
    features : mlrun.DataItem
        Feature vectors with their incidents.
    network, family : str
        Whose model, and of which kind.

    Logs the model ``model`` (ONNX and card), its figures on the test split, and plots. If the labels are too few to
    train on, ``model`` is a note with the reason.
    """
    chosen = Settings.from_json(settings)
    options, alerting = chosen.training, chosen.alerting
    work = work_folder(context)
    dataset = Dataset.open(local_folder(features))
    folder = work / "models" / family
    with compute_cluster(chosen.compute) as cluster:
        examples = prepare_examples(dataset, options, work / "examples", progress.report, cluster)
        if not examples.supervised:
            skip_training(context, examples, family)
            return
        trials = Iterations(context)
        card, assessment = train_model(
            examples,
            family,
            options,
            alerting,
            folder,
            network=network,
            workers=pipeline_run().workers,
            cluster=cluster,
            progress=progress.report,
            on_trial=trials,
        )
    trials.close()
    log_version(context, network, examples, folder, card, assessment, chosen.monitoring)
    log_figures(context, figures_of(card, assessment, examples), families=len(options.enabled_families))
    _log_plots(context, family, assessment, examples.horizon)


def _log_plots(context: MLClientCtx, family: str, assessment: Assessment, horizon: int) -> None:
    evaluation = assessment.evaluation
    drawn = {
        "precision_recall": plots.precision_recall_plot({family: evaluation}),
        "confusion": plots.confusion_plot(evaluation.confusion),
        "lead_times": plots.lead_time_plot(evaluation, horizon),
        "reliability": plots.reliability_plot(evaluation),
    }
    for key, picture in drawn.items():
        context.log_artifact(key, body=picture, format="png", local_path=f"plots/{family}-{key}.png")
