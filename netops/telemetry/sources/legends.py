"""Names with device and metric in one: legends of Prometheus and Grafana, paths of Windows counters."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from netops.telemetry.columns.known_names import key_of

_LEGEND = re.compile(r"^\s*(?P<metric>[A-Za-z_:][\w:.]*)?\s*\{(?P<labels>.*)\}\s*$", re.DOTALL)
_LABEL = re.compile(r"""\s*([A-Za-z_]\w*)\s*[=:]\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^,"'{}]*))\s*(?:,|$)""")
_PERFMON = re.compile(r"^\\\\(?P<host>[^\\]+)\\(?P<counter>.+)$", re.DOTALL)


@dataclass(frozen=True)
class Legend:
    """A parsed name."""

    metric: str
    labels: Mapping[str, str]
    is_counter: bool = False


def parse_legend(name: str) -> Legend | None:
    r"""Parse a name: ``cpu{instance="r1"}``, ``{__name__="cpu", host="r1"}``, ``\\HOST\Memory\Free``."""
    if found := _PERFMON.match(name):
        return Legend(found["counter"], {"host": found["host"]}, is_counter=True)
    found = _LEGEND.match(name)
    if found is None:
        return None
    labels: dict[str, str] = {}
    text, index = found["labels"], 0
    while index < len(text):
        label = _LABEL.match(text, index)
        if label is None:
            return None
        quoted = label[2] if label[2] is not None else label[3] if label[3] is not None else label[4].strip()
        labels[label[1]] = re.sub(r"\\(.)", r"\1", quoted)
        index = label.end()
    metric = found["metric"] or labels.pop("__name__", "")
    return Legend(metric or "value", labels)


def split_legends(names: Iterable[str], wanted: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Find device and metric in some names.

    Parameters
    ----------
    names : iterable of str
    wanted : sequence of str
        Names of the device label, the first found is used.

    Returns
    -------
    dict
        Name → device and metric, for the names with both. Labels that do not differ between the series of a
        metric on one device are removed from its name.
    """
    legends = {name: legend for name in names if (legend := parse_legend(name)) is not None}
    device = _device_label(legends.values(), wanted)
    if device is None:
        return {}
    found = {name: legend for name, legend in legends.items() if device in legend.labels}
    series: dict[tuple[str, str], list[Legend]] = defaultdict(list)
    for legend in found.values():
        series[legend.metric, legend.labels[device]].append(legend)
    varying: dict[str, set[str]] = defaultdict(set)
    for (metric, _), some in series.items():
        labels = {label for legend in some for label in legend.labels}
        varying[metric] |= {label for label in labels if len({legend.labels.get(label) for legend in some}) > 1}
    return {
        name: (legend.labels[device], _metric(legend, varying[legend.metric] - {device}))
        for name, legend in found.items()
    }


def _metric(legend: Legend, labels: set[str]) -> str:
    inside = ",".join(f"{label}={legend.labels[label]}" for label in sorted(labels & set(legend.labels)))
    return f"{legend.metric}{{{inside}}}" if inside else legend.metric


def _device_label(legends: Iterable[Legend], wanted: Sequence[str]) -> str | None:
    """Choose the device label: the first known one that varies, else the first one."""
    values: dict[str, set[str]] = defaultdict(set)
    for legend in legends:
        for label, value in legend.labels.items():
            values[label].add(value)
    known = [
        label for name in wanted for label in values if key_of(label) == key_of(name) or fnmatchcase(label, name)
    ]
    return next((label for label in known if len(values[label]) > 1), known[0] if known else None)
