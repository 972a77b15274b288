"""Champion and challenger: who serves, and why."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netops.config.binding import option

if TYPE_CHECKING:  # the settings are read without what compares models
    from netops.evaluation.selection import Difference


@dataclass(frozen=True)
class PromotionSettings:
    """The ``promotion:`` section: limits that a challenger must meet."""

    recall_floor: float = option(
        0.5,
        help="Event recall that a challenger must reach, unless the champion is below it too",
        minimum=0,
        maximum=1,
    )
    false_alarms_per_device_day: float = option(
        0.3, help="False alarms it must keep below, unless the champion has more", minimum=0
    )
    latency_ms: float = option(5.0, help="Median time to score one sample that it must keep below", minimum=0)
    missing_features: int = option(0, help="Features it may need that the telemetry no longer has", minimum=0)
    first: str = option(
        "useful",
        help="The first model of a network: useful, better than chance and static thresholds; or any that works",
        choices=("useful", "any"),
    )


#: Advice if the first model of a network is not useful.
REMEDIES = (
    "more incidents or longer telemetry, metrics that change before a failure, or another horizon would help; "
    "--set promotion.first=any deploys it anyway"
)


@dataclass(frozen=True)
class Scorecard:
    """A model on the newest data, the same for champion and challenger.

    Attributes
    ----------
    version : str
    average_precision, event_recall, false_alarms_per_device_day : float
        NaN if not measurable.
    latency_ms : float
        Median time to score one sample; NaN if not measured.
    missing_features : tuple of str
        Features it needs that the telemetry does not have.
    failure : str
        Why it could not be evaluated; empty if it could.
    """

    version: str
    average_precision: float
    event_recall: float
    false_alarms_per_device_day: float
    latency_ms: float = float("nan")
    missing_features: tuple[str, ...] = ()
    failure: str = ""

    @classmethod
    def failed(cls, version: str, failure: str, missing_features: tuple[str, ...] = ()) -> "Scorecard":
        """Return the result of a model that could not be evaluated."""
        unknown = float("nan")
        return cls(version, unknown, unknown, unknown, missing_features=missing_features, failure=failure)


@dataclass(frozen=True)
class Decision:
    """Whether a challenger is promoted.

    Attributes
    ----------
    promoted : bool
    reasons : tuple of str
        All of them, the decisive ones first.
    """

    promoted: bool
    reasons: tuple[str, ...]

    @property
    def reason(self) -> str:
        """All reasons in one line."""
        return "; ".join(self.reasons)


def decide(
    challenger: Scorecard,
    champion: Scorecard | None,
    difference: "Difference | None",
    settings: PromotionSettings,
    useless: tuple[str, ...] = (),
) -> Decision:
    """Decide whether a challenger replaces the champion.

    A challenger is promoted only when it is better beyond the bootstrap interval and breaks no guard. Guards on
    recall and false alarms never protect a worse champion: they only count if it is better. The first model
    of a network has to be useful, unless ``first`` is ``any``; if the champion can no longer be evaluated, a model
    only has to work.

    Parameters
    ----------
    challenger : Scorecard
    champion : Scorecard or None
        None without a champion.
    difference : Difference or None
        Challenger minus champion (``compare``); required if both could be evaluated.
    settings : PromotionSettings
    useless : tuple of str
        Why the challenger, as first model of a network, would be of no use.
    """
    broken = _unfit(challenger, settings)
    if champion is None or champion.failure:
        if champion is None and settings.first != "any" and useless and not challenger.failure:
            broken += (*useless, REMEDIES)
        if broken:
            first, *others = broken
            return Decision(False, broken if champion else (f"no champion: {first}", *others))
        return Decision(True, (_alone(challenger, champion),))
    broken += _worse(challenger, champion, settings)
    if difference is None:
        return Decision(False, (*broken, "challenger and champion were not compared on the same data"))
    advantage = _advantage(difference)
    if not difference.better:
        return Decision(False, (*broken, advantage))
    return Decision(False, (*broken, advantage)) if broken else Decision(True, (advantage, "no guard is broken"))


def _unfit(model: Scorecard, settings: PromotionSettings) -> tuple[str, ...]:
    """Guards that apply with any champion."""
    broken = []
    if model.failure:
        broken.append(f"the challenger could not be evaluated: {model.failure}")
    if len(model.missing_features) > settings.missing_features:
        names = ", ".join(model.missing_features[:3]) + (", …" if len(model.missing_features) > 3 else "")
        broken.append(f"the telemetry lacks {len(model.missing_features)} of its features: {names}")
    if model.latency_ms > settings.latency_ms:
        broken.append(f"a sample takes {model.latency_ms:.3g} ms, above the ceiling of {settings.latency_ms:g} ms")
    return tuple(broken)


def _worse(challenger: Scorecard, champion: Scorecard, settings: PromotionSettings) -> tuple[str, ...]:
    """Guards that apply if the champion is better."""
    broken = []
    floor = settings.recall_floor
    if challenger.event_recall < min(floor, _or(champion.event_recall, floor)):
        recall, other = challenger.event_recall, champion.event_recall
        broken.append(f"event recall {recall:.3f} is below the floor of {floor:g} (champion {other:.3f})")
    ceiling = settings.false_alarms_per_device_day
    if challenger.false_alarms_per_device_day > max(ceiling, _or(champion.false_alarms_per_device_day, ceiling)):
        alarms, others = challenger.false_alarms_per_device_day, champion.false_alarms_per_device_day
        broken.append(
            f"{alarms:.3f} false alarms per device-day are above the ceiling of {ceiling:g} (champion {others:.3f})"
        )
    return tuple(broken)


def _alone(challenger: Scorecard, champion: Scorecard | None) -> str:
    if champion is None:
        return f"first model of the network (average precision {challenger.average_precision:.3f})"
    return f"the champion {champion.version} can no longer be evaluated: {champion.failure}"


def _advantage(difference: "Difference") -> str:
    low, high = difference.interval.low, difference.interval.high
    found = (
        f"average precision {difference.value:+.3f} against the champion (95% interval {low:+.3f} to {high:+.3f})"
    )
    return f"{found}: {'better beyond the interval' if difference.better else 'not better beyond the interval'}"


def _or(value: float, other: float) -> float:
    return value if value == value else other
