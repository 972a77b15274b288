from pathlib import Path

import pytest

from netops.config.binding import bind, read_yaml
from netops.config.durations import HOUR, MINUTE, SECOND
from netops.errors import UsageError
from netops.features.settings import FeatureSettings

FILE = Path(__file__).parents[2] / "configurations" / "features.yaml"


def test_the_file_says_what_the_code_does():
    assert bind(FeatureSettings, read_yaml(FILE), str(FILE)) == FeatureSettings()


def test_windows_follow_the_telemetry_unless_configured():
    assert FeatureSettings().spec(["a"], 60 * SECOND, 1000 * HOUR).windows == (12 * MINUTE, 12 * HOUR)
    settings = bind(FeatureSettings, {"windows": ["90s"], "statistics": ["slope"]}, "features")
    assert settings.spec(["a"], 60 * SECOND, 1000 * HOUR).names == ("a", "a_slope_90s", "a_missing_90s")


def test_an_unknown_key_is_refused():
    with pytest.raises(UsageError, match="did you mean 'windows'"):
        bind(FeatureSettings, {"window": ["1m"]}, "features")
