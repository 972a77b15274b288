"""What one command shares with all that works for it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from netops.progress import report, say, say_once, shown_by, silent
from netops.run_context import RunContext, current, entered


def test_it_holds_in_every_thread_and_ends_with_its_block() -> None:
    before = current()
    with entered(RunContext(run_id="r1")), ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: current().run_id).result() == "r1"
    assert current() is before


def test_a_run_within_a_command_shows_its_lines_where_the_command_does() -> None:
    lines: list[str] = []
    with shown_by(silent, lines.append), entered(replace(current(), run_id="r1")):
        say("one")
        say_once("two")
        say_once("two")
    assert lines == ["one", "two"]


def test_what_is_shown_once_is_shown_once_in_each_block() -> None:
    lines: list[str] = []
    say_once("warn")  # without a reader: it is not lost for the next block
    for _ in range(2):
        with shown_by(silent, lines.append):
            say_once("warn")
            say_once("warn")
    assert lines == ["warn", "warn"]


def test_progress_reaches_the_reporter() -> None:
    seen: list[tuple[int, int, str]] = []
    report(1, 2, "unseen")
    with shown_by(lambda done, total, what: seen.append((done, total, what)), str):
        report(1, 2, "trials")
    assert seen == [(1, 2, "trials")]
