"""The columns of a features dataset that models read."""

from netops.config.durations import format_duration
from netops.features.spec import FeatureSpec
from netops.telemetry.dataset import Dataset
from netops.telemetry.schema import is_error_column


def columns_of(dataset: Dataset) -> dict[str, str | None]:
    """Choose what a model without labels reads: each metric, and its mean over the longest window, if any."""
    if not dataset.meta.features:
        return dict.fromkeys(feature_names(dataset))
    carried = _carried(dataset)
    spec = FeatureSpec.from_dict(dataset.meta.features)
    there, mean = set(spec.names), f"_mean_{format_duration(spec.longest_window)}"
    return {
        metric: metric + mean if metric + mean in there else None
        for metric in spec.metrics
        if metric not in carried
    }


def feature_names(dataset: Dataset) -> tuple[str, ...]:
    """List the features of new models: as declared, otherwise all numeric columns except keys and ground truth.

    Columns that were counted for the champion alone are not among them.
    """
    if dataset.meta.features:
        carried, spec = _carried(dataset), FeatureSpec.from_dict(dataset.meta.features)
        return tuple(feature.name for feature in spec.features if feature.metric not in carried)
    return tuple(name for name in dataset.meta.metrics if not is_error_column(name))


def existing_features(dataset: Dataset) -> tuple[str, ...]:
    """List all feature columns, those for the champion alone among them."""
    return FeatureSpec.from_dict(dataset.meta.features).names if dataset.meta.features else feature_names(dataset)


def _carried(dataset: Dataset) -> frozenset[str]:
    return frozenset(dataset.meta.details.get("logs", {}).get("carried", ()))
