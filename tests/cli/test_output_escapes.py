"""Names from outside cannot act on the terminal."""

import pytest

from netops.cli.main import _fail
from netops.cli.output import note, print_rows, print_text, visible

HOSTILE = "a\x1b[2J\x1b]0;owned\x07\nfake: ok\r\u202egnp.exe\u2066\u009b1m\ud800\u2028"


@pytest.mark.parametrize(
    "write", [note, print_text, lambda text: print_rows([{"device": text}], ["device"], False)]
)
def test_what_a_terminal_would_act_on_is_written_as_escapes(capfd, write):
    """L6: device names reached the terminal raw."""
    write(HOSTILE.replace("\n", "\\n") if write is not print_rows else HOSTILE)
    out = "".join(capfd.readouterr())
    assert all(character.isprintable() or character == "\n" for character in out)
    assert "\\x1b[2J" in out
    assert "\\u202e" in out


def test_a_name_in_a_table_begins_no_line_of_its_own(capfd):
    print_rows([{"device": "a\nfake", "risk": 1.0}], ["device", "risk"], False)
    assert len(capfd.readouterr().out.splitlines()) == 2


def test_an_error_is_one_line_that_acts_on_nothing(capfd):
    _fail(f"no device {HOSTILE}", 1)
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_text_of_any_language_stays_as_it_is():
    assert visible("Zürich-leaf-1 東京 ✓ –") == "Zürich-leaf-1 東京 ✓ –"
