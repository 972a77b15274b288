"""``netops doctor``: check that everything is there that a run needs."""

from dataclasses import asdict
from pathlib import Path

import click

from netops.cli import options
from netops.cli.output import print_json


@click.command("doctor")
@click.option("--deep", is_flag=True, help="Run a pod on the cluster, too: image, library, artifact path.")
@options.config
@options.overrides
@options.common
def command(deep: bool, config: Path | None, overrides: tuple[str, ...], as_json: bool) -> int:
    """Check Python, packages, disk, configuration and tracking; exit code 1 if anything is wrong."""
    from netops.cluster.doctor import examine

    well = True
    for finding in examine(deep, config, overrides):
        well &= finding.ok
        if as_json:
            print_json(asdict(finding))
        else:
            click.echo(f"{'ok ' if finding.ok else 'NO '} {finding.check:14} {finding.detail}")
    return 0 if well else 1
