"""``netops doctor``: check that everything a run needs is available."""

from dataclasses import asdict
from pathlib import Path

import click

from netops.cli import options
from netops.cli.output import print_json


@click.command("doctor")
@click.option("--deep", is_flag=True, help="Also run a pod on the cluster: image, library, artifact path.")
@options.config
@options.overrides
@options.common
def command(deep: bool, config: Path | None, overrides: tuple[str, ...], as_json: bool) -> int:
    """Check Python, packages, disk, configuration and tracking; exit code 1 if a check fails."""
    from netops.cluster.doctor import examine

    healthy = True
    for finding in examine(deep, config, overrides):
        healthy &= finding.ok
        if as_json:
            print_json(asdict(finding))
        else:
            click.echo(f"{'ok ' if finding.ok else 'NO '} {finding.check:14} {finding.detail}")
    return 0 if healthy else 1
