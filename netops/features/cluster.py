"""Features of a dataset on a Dask cluster: one task a part, which carries paths alone."""

from collections.abc import Callable
from pathlib import Path

from netops.errors import NetopsError
from netops.features.spec import FeatureSpec


def build_parts(
    jobs: list[tuple[Path, Path]],
    spec: FeatureSpec,
    attributes: tuple[str, ...],
    workers: int,
    scheduler: str | None,
    tell: Callable[[int], None],
) -> None:
    """Compute parts on a cluster (not there yet)."""
    raise NetopsError("no cluster yet; leave out the workers")
