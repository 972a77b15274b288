"""``netops compile``: write a workflow for Kubeflow Pipelines; needs no cluster."""

from pathlib import Path

import click

from netops.cli import options
from netops.cli.output import note, print_json


@click.command("compile")
@click.option("--out", type=options.PATH, required=True, help="YAML file to write.")
@click.option("--workflow", default="main", show_default=True, help="main, retrain or score.")
@click.option("--telemetry", multiple=True, metavar="SOURCE", help="Default source of retrain and score.")
@options.name
@options.config
@options.overrides
@options.common
def command(
    out: Path,
    workflow: str,
    telemetry: tuple[str, ...],
    name: str | None,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compile a workflow for Kubeflow Pipelines; the configuration becomes the default of its parameter."""
    from netops.workflows.arguments import workflow_arguments
    from netops.workflows.settings import read_settings

    arguments = workflow_arguments(workflow, name, read_settings(config, overrides, cluster=True), telemetry)

    from netops.cluster.compile import compile_workflow

    document = compile_workflow(workflow, arguments, out)
    steps = [template["name"] for template in document["spec"]["templates"] if "container" in template]
    if as_json:
        print_json({"out": str(out), "workflow": workflow, "steps": steps})
    else:
        note(f"{workflow}: {len(steps)} steps; upload it on the Kubeflow page, or: netops submit")
        click.echo(out)
