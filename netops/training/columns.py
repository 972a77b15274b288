"""The columns of a features dataset that models read."""

from netops.config.durations import format_duration
from netops.features.spec import FeatureSpec
from netops.telemetry.dataset import Dataset
from netops.telemetry.schema import is_error_column


def columns_of(dataset: Dataset) -> dict[str, str | None]:
    """Choose what a model without labels reads: each metric, and its mean over the longest window, if any."""
    if not dataset.meta.features:
        return dict.fromkeys(feature_names(dataset))
    spec = FeatureSpec.from_dict(dataset.meta.features)
    there, mean = set(spec.names), f"_mean_{format_duration(spec.longest_window)}"
    return {metric: metric + mean if metric + mean in there else None for metric in spec.metrics}


def feature_names(dataset: Dataset) -> tuple[str, ...]:
    """List the feature columns: as declared, otherwise all numeric columns except keys and ground truth."""
    if dataset.meta.features:
        return FeatureSpec.from_dict(dataset.meta.features).names
    return tuple(name for name in dataset.meta.metrics if not is_error_column(name))
