"""Which columns become metrics, which become attributes, and which are excluded and why.

Decisions depend on how the values of a column change, never on the ground truth. They are part of the schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from netops.errors import NetopsError, brief
from netops.telemetry.columns.profile import Profile
from netops.telemetry.columns.roles import matches
from netops.telemetry.network_schema import NetworkSchema
from netops.telemetry.schema import COMPANY, DATA_CENTER
from netops.telemetry.settings import AUTO, TelemetrySettings


@dataclass(frozen=True)
class Choice:
    """The role of each column.

    Attributes
    ----------
    metrics, counters, attributes : tuple of str
        Counters are those metrics that are turned into rates.
    left_out : dict
        Column → reason.
    """

    metrics: tuple[str, ...]
    counters: tuple[str, ...]
    attributes: tuple[str, ...]
    left_out: dict[str, str]

    def without(self, excluded: Mapping[str, str], where: str) -> "Choice":
        """Exclude some metrics.

        Raises
        ------
        NetopsError
            If none is left.
        """
        if not excluded:
            return self
        left_out = self.left_out | dict(excluded)
        metrics = tuple(name for name in self.metrics if name not in excluded)
        if not metrics:
            raise NetopsError(f"{where}: {_nothing_left(excluded, left_out)}")
        counters = tuple(name for name in self.counters if name not in excluded)
        return Choice(metrics, counters, self.attributes, left_out)


def choose(
    profiles: Mapping[str, Profile],
    texts: Mapping[str, bool],
    devices: int,
    settings: TelemetrySettings,
    ignored: Mapping[str, str],
    where: str,
) -> Choice:
    """Determine the roles of the columns from the data.

    Parameters
    ----------
    profiles : mapping
        Numeric column → statistics of its changes.
    texts : mapping
        Text column → whether it stays the same on every device.
    devices : int
        Number of devices.
    ignored : mapping
        Columns that are already excluded → reason.
    where : str
        Name of the telemetry, for errors.

    Raises
    ------
    NetopsError
        If no metric remains.
    """
    left_out, metrics = dict(ignored), []
    attributes = [name for name, static in texts.items() if static]
    left_out |= {name: "text that changes" for name, static in texts.items() if not static}
    for name, seen in profiles.items():
        if matches(name, (COMPANY, DATA_CENTER, *settings.attributes)) and seen.known and not seen.moving:
            attributes.append(name)
        elif reason := _reason(name, seen, devices, settings):
            left_out[name] = reason
        else:
            metrics.append(name)
    if not metrics:
        raise NetopsError(f"{where}: {_nothing_left(profiles, left_out)}")
    counters = tuple(name for name in metrics if _is_counter(name, profiles[name], settings))
    return Choice(tuple(metrics), counters, tuple(attributes), left_out)


def choose_like(
    like: NetworkSchema,
    profiles: Mapping[str, Profile],
    texts: Mapping[str, bool],
    ignored: Mapping[str, str],
    where: str,
) -> Choice:
    """Use the roles of other telemetry of the same network; metrics that are missing now are unknown.

    Raises
    ------
    NetopsError
        If none of its metrics exists, or one of them is text now.
    """
    if like.metrics and not any(name in profiles for name in like.metrics):
        raise NetopsError(
            f"{where}: none of the metrics that the network has ({brief(like.metrics)}) is in this telemetry"
        )
    if text := next((name for name in like.metrics if name in texts), None):
        raise NetopsError(
            f"{where}: column '{text}' contains text here, but numbers in the other telemetry of the network"
        )
    others = {name: "no metric of the network" for name in profiles if name not in like.metrics}
    static = [name for name, same in texts.items() if same]
    known = static if like.attributes is None else like.attributes
    attributes = tuple(name for name in known if name in static or name in profiles)
    left_out = {name: why for name, why in (others | dict(ignored)).items() if name not in attributes}
    return Choice(like.metrics, like.counters, attributes, left_out)


def _reason(name: str, seen: Profile, devices: int, settings: TelemetrySettings) -> str | None:
    if matches(name, settings.exclude):
        return "excluded by telemetry: exclude"
    if not matches(name, settings.metrics):
        return "not selected by telemetry: metrics"
    if not seen.known:
        return "empty"
    if seen.is_constant:
        return f"constant ({seen.minimum:g})"
    return None if name in settings.metrics else _doubt(seen, devices, settings)


def _doubt(seen: Profile, devices: int, settings: TelemetrySettings) -> str | None:
    if seen.devices < settings.min_device_share * devices:
        return f"known for {seen.devices} of {devices} devices only"
    if seen.is_clock:
        return "counts rows or time"
    if not seen.moving and seen.steps:
        return "never changes on any device"
    return None


def _is_counter(name: str, seen: Profile, settings: TelemetrySettings) -> bool:
    if AUTO in settings.counters and seen.is_counter:
        return True
    return matches(name, settings.counters)


def _nothing_left(profiles: Mapping[str, object], left_out: Mapping[str, str]) -> str:
    named = "; ".join(f"{name}: {why}" for name, why in list(left_out.items())[:6])
    return f"no {'metric is left to learn from' if profiles else 'numeric column'}" + (
        f" ({named})" if named else ""
    )
