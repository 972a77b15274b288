import json

import pytest

from netops.serving.engine.dead_letters import DeadLetters, letter


@pytest.fixture
def open_letters(tmp_path):
    """Open dead letters in a folder, and close them at the end of the test."""
    opened = []

    def begin(**limits):
        opened.append(DeadLetters(tmp_path, **limits))
        return opened[-1]

    yield begin
    for letters in opened:
        letters.close()


def test_dead_letter_files_are_rotated(tmp_path, open_letters):
    letters = open_letters(size=2000, files=3)
    for number in range(200):
        letters.write([letter("rejected", "no", {"number": number})])
    files = sorted(tmp_path.glob("dead-letters*"))
    assert len(files) == 3
    assert all(file.stat().st_size <= 2000 for file in files)
    last = json.loads(letters.path().read_text().splitlines()[-1])
    assert last == {"why": "rejected", "error": "no", "sent": {"number": 199}}


def test_binary_bodies_are_stored_and_long_bodies_are_truncated(open_letters):
    letters = open_letters(size=1 << 20, files=1)
    letters.write([letter("rejected", None, b"\xff\xfe"), letter("rejected", None, b"x" * 100_000)])
    first, second = map(json.loads, letters.path().read_text().splitlines())
    assert first["sent"] == {"base64": "//4="}
    assert len(second["sent"]) == 16_384


def test_a_disk_that_takes_nothing_is_counted(open_letters):
    letters = open_letters(size=1 << 20, files=1)
    letters.close()
    with open("/dev/full", "wb", buffering=0) as letters._file:
        letters.write([letter("late", None, {})] * 3)
    assert letters.lost == 3
