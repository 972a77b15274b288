"""Sections bound from YAML."""

from dataclasses import dataclass

import pytest

from netops.config.binding import Duration, bind, option, parse_yaml, read_yaml
from netops.config.durations import MINUTE
from netops.errors import UsageError
from netops.progress import shown_by, silent


@dataclass(frozen=True)
class Inner:
    depth: int = option(3, help="how deep", minimum=1)


@dataclass(frozen=True)
class Section:
    count: int = option(1, help="how many", minimum=1, maximum=9)
    share: float = option(0.5, help="how much")
    kind: str = option("a", help="which", choices=("a", "b"))
    windows: tuple[Duration, ...] = option(lambda: (MINUTE,), help="how long")
    cooldown: Duration | None = option(None, help="how long to wait")
    inner: Inner = option(Inner, help="more")
    by_name: dict[str, Inner] = option(dict, help="one each")
    for_: int = option(2, help="a word that Python keeps for itself")


@dataclass(frozen=True)
class Strict:
    name: str = option(help="required")


def test_absent_keys_take_their_defaults() -> None:
    assert bind(Section, None, "x.yaml") == Section()


def test_values_are_converted() -> None:
    raw = {"windows": "1m, 90s", "share": 1, "inner": {"depth": 2}, "by_name": {"a": {"depth": 4}}, "for": 5}
    bound = bind(Section, raw, "x.yaml")
    assert bound.windows == (MINUTE, 90 * 10**9)
    assert bound.share == 1.0
    assert isinstance(bound.share, float)
    assert bound.inner == Inner(2)
    assert bound.by_name == {"a": Inner(4)}
    assert bound.for_ == 5


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"coutn": 2}, "x.yaml: unknown key 'coutn'; did you mean 'count'?"),
        ({"inner": {"deep": 2}}, "x.yaml: inner: unknown key 'deep'; did you mean 'depth'?"),
        ({"count": 0}, "x.yaml: count: 0 is below 1"),
        ({"count": 10}, "x.yaml: count: 10 is above 9"),
        ({"count": True}, "x.yaml: count: expected a whole number, found True"),
        ({"count": "two"}, "x.yaml: count: expected a whole number, found 'two'"),
        ({"share": float("nan")}, "x.yaml: share: nan is not a finite number"),
        ({"kind": "c"}, "x.yaml: kind: 'c' is not allowed; known: a, b"),
        ({"cooldown": "soon"}, "x.yaml: cooldown: 'soon' is not a valid duration; expected 90s, 10m, 1h or 2d"),
        ({"windows": ["1m", "0s"]}, "x.yaml: windows[1]: duration '0s' must be more than zero"),
        ({"by_name": {"a": {"depth": 0}}}, "x.yaml: by_name: a: depth: 0 is below 1"),
        (["count"], "x.yaml: expected keys and values, found ['count']"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(raw: object, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        bind(Section, raw, "x.yaml")
    assert str(refused.value) == says


def test_a_required_key_is_asked_for() -> None:
    with pytest.raises(UsageError, match=r"x\.yaml: key 'name' is missing"):
        bind(Strict, {}, "x.yaml")


@pytest.mark.parametrize(("text", "says"), [("a: [", "not YAML"), (None, "no such file")])
def test_unreadable_files_are_named(tmp_path, text: str | None, says: str) -> None:
    path = tmp_path / "x.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=says) as refused:
        read_yaml(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("text", ["2026-01-05T00:00:00Z", "2026-01-05", "2026-01-03 22:00:00"])
def test_times_in_yaml_stay_text(text, tmp_path):
    (tmp_path / "x.yaml").write_text(f"start: {text}\n")
    assert read_yaml(tmp_path / "x.yaml") == {"start": text}
    assert parse_yaml(text) == text


@dataclass(frozen=True)
class Renamed:
    """A section one of whose keys had another name."""

    max_depth: int = option(4, help="depth", minimum=1, was="depth")


def test_a_key_is_read_under_its_old_name_and_reported_once() -> None:
    lines: list[str] = []
    with shown_by(silent, lines.append):
        assert bind(Renamed, {"depth": 2}, "x.yaml").max_depth == 2
        assert bind(Renamed, {"depth": 3}, "x.yaml").max_depth == 3
        assert bind(Renamed, {"max_depth": 5}, "x.yaml").max_depth == 5
    assert lines == ["warn: x.yaml: 'depth' is now called 'max_depth'"]
    with pytest.raises(UsageError, match=r"x\.yaml: 'depth' is the old name of 'max_depth': keep one of them"):
        bind(Renamed, {"depth": 2, "max_depth": 2}, "x.yaml")
    with pytest.raises(UsageError, match=r"x\.yaml: max_depth: 0 is below 1"):
        bind(Renamed, {"depth": 0}, "x.yaml")
