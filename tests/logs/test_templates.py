"""Templates of messages: masks, the parse tree, what is stored."""

import json
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.errors import NetopsError, UsageError
from netops.logs.settings import TemplateSettings
from netops.logs.templates.masks import MASKS, MaskedWords, mask_word
from netops.logs.templates.miner import NEW, Templates

MESSAGES = [
    "%LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to down",
    "%LINK-3-UPDOWN: Interface GigabitEthernet0/2, changed state to up",
    "%LINK-3-UPDOWN: Interface Port-channel7, changed state to down",
    "sshd: Failed password for invalid user bob from 10.0.0.1 port 4711 ssh2",
    "sshd: Failed password for invalid user alice from 2001:db8::1 port 4712 ssh2",
    "sshd: Failed password for invalid user carol from 10.0.0.3 port 4713 ssh2",
]
WORDS = st.sampled_from(
    ["a", "b", "link", "up", "down", "10.0.0.1", "17", "Gi0/1", "x=5", "failed", "ok", "<*>", "0xff"]
)
LINES = st.lists(st.lists(WORDS, max_size=7).map(" ".join), min_size=1, max_size=40)


def learned(messages: Sequence[str], **options: float) -> Templates:
    found = Templates(TemplateSettings(**options))  # type: ignore[arg-type]
    found.learn(messages)
    return found


@pytest.mark.parametrize(
    ("word", "masked"),
    [
        ("00:1b:44:11:3a:b7", "<*>"),
        ("001b.4411.3ab7", "<*>"),
        ("10.0.0.1:22,", "<*>,"),
        ("10.0.0.0/24", "<*>"),
        ("[2001:db8::1]", "[<*>]"),
        ("fe80::1%eth0", "<*>"),
        ("GigabitEthernet0/0/1", "<*>"),
        ("xe-0/0/1.100", "<*>"),
        ("ge-0/0/0:1", "<*>"),
        ("TenGigE0/0/0/0,", "<*>,"),
        ("Bundle-Ether10", "<*>"),
        ("swp12", "<*>"),
        ("0x1F4", "<*>"),
        ("deadbeef0", "<*>"),
        ("/var/log/messages", "<*>"),
        ("https://a.example/b?c=1", "<*>"),
        ("host.dc1.example.com:443", "<*>"),
        ("45.2%", "<*>"),
        ("uid=0", "uid=<*>"),
        ("1,024", "<*>"),
        ("12ms", "<*>"),
        ("Nov", "<*>"),
        ("550e8400-e29b-41d4-a716-446655440000", "<*>"),
        ("x" * 300, "<*>"),
        *(
            (word, word)
            for word in ("down", "%LINK-3-UPDOWN:", "decade", "ipv4", "a.b", "and/or", "(error)", "md5")
        ),
    ],
)
def test_masks(word: str, masked: str) -> None:
    assert mask_word(word) == masked


@given(st.text(max_size=30))
def test_a_masked_word_stays_as_it_is(word: str) -> None:
    for part in word.split():
        masked = mask_word(part)
        assert mask_word(masked) == masked
        assert MaskedWords()[part] == masked


@given(st.integers(0, 10**12), st.sampled_from(["", ",", ".", ")", ":"]))
def test_numbers_are_masked_with_any_punctuation(number: int, end: str) -> None:
    assert mask_word(f"{number}{end}") in ("<*>", f"<*>{end}")


def test_addresses_are_tried_before_numbers() -> None:
    order = list(MASKS)
    assert order.index("IPv4 address") < order.index("number")
    assert order.index("MAC address") < order.index("IPv6 address") < order.index("hexadecimal number")
    assert mask_word("10.0.0.1/24") == mask_word("17") == "<*>"


def test_messages_of_one_kind_have_one_template() -> None:
    found = learned(MESSAGES)
    assert [found.text(number) for number in range(len(found))] == [
        "%LINK-3-UPDOWN: Interface <*>, changed state to down",
        "%LINK-3-UPDOWN: Interface <*>, changed state to up",
        "sshd: Failed password for invalid user <*> from <*> port <*> ssh2",
    ]
    assert found.counts() == [2, 1, 3]
    assert found.find(MESSAGES).tolist() == [0, 1, 0, 2, 2, 2]


def test_states_are_never_merged() -> None:
    texts = [
        f"BGP session to peer number one in default context is now {state}" for state in ("up", "down", "idle")
    ]
    assert len(learned(texts)) == 3


def test_unknown_messages_are_new_and_change_nothing() -> None:
    found = learned(MESSAGES)
    before = json.dumps(found.to_dict())
    assert found.find(["never seen before", "", "sshd: Failed"]).tolist() == [NEW] * 3
    assert json.dumps(found.to_dict()) == before


def test_only_the_first_line_and_the_first_words_count() -> None:
    found = learned(["one two three"], max_words=3)
    assert found.find(["one two three four five", "one two three\n  more", "one two"]).tolist() == [0, 0, NEW]


def test_the_number_of_templates_is_bounded() -> None:
    draw = np.random.default_rng(1)
    texts = [" ".join("".join(draw.choice(list("abcdefgh"), 6)) for _ in range(5)) for _ in range(500)]
    found = learned(texts, max_templates=20)
    assert len(found) == 20
    assert found.unlearned == 480
    assert found.find(texts).tolist() == [*range(20), *[NEW] * 480]


def test_the_number_of_leading_words_is_bounded() -> None:
    texts = [f"{first}x is here" for first in "abcdefghij"]
    assert len(learned(texts, max_children=100)) == 10
    assert len(learned(texts, max_children=3, similarity=0.5)) == 4


@settings(max_examples=300)
@given(LINES, LINES)
def test_stored_templates_give_the_same_numbers(texts: list[str], others: list[str]) -> None:
    found = learned(texts, max_templates=8, max_children=3)
    again = Templates.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.find([*texts, *others]).tolist() == found.find([*texts, *others]).tolist()
    assert again.to_dict() == found.to_dict()
    for templates in (found, again):
        templates.learn(others)
    assert len(again) == len(found)


@settings(max_examples=300)
@given(LINES)
def test_what_was_learned_is_found(texts: list[str]) -> None:
    found = learned(texts)
    numbers = found.find(texts)
    assert (numbers >= 0).all()
    assert sum(found.counts()) == len(texts)
    assert learned(texts).to_dict() == found.to_dict()
    for text, number in zip(texts, numbers.tolist(), strict=True):
        template, words = found.text(number).split(), text.split()
        assert len(template) == len(words)


@settings(max_examples=200)
@given(st.lists(st.text(max_size=80), max_size=20))
def test_any_text_is_learned(texts: list[str]) -> None:
    found = learned(texts)
    assert (found.find(texts) >= 0).all()
    assert len(Templates.from_dict(json.loads(json.dumps(found.to_dict())))) == len(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version 2; this program reads 1"),
        ({"templates": [{"words": "a b", "path": ["3", ""], "count": 1}]}, "template 0 is damaged"),
        ({"templates": ["a"]}, "template 0 is damaged"),
        ({"templates": [{"words": "a", "path": ["1", 5], "count": 1}]}, "template 0 is damaged"),
    ],
)
def test_damage_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(NetopsError, match=message):
        Templates.from_dict({**learned(MESSAGES).to_dict(), **change})


def test_unknown_settings_are_refused() -> None:
    stored = learned(MESSAGES).to_dict()
    with pytest.raises(UsageError, match="similarity"):
        Templates.from_dict({**stored, "settings": {"similarity": 7.0}})


@pytest.mark.timing
@pytest.mark.parametrize(
    "word", ["A" * 255 + ".", "Ab" * 127 + "1", "A-" * 127 + "1", "GigabitEthernet" * 17 + "/"]
)
def test_no_word_takes_long_to_mask(word: str) -> None:
    started = time.perf_counter()
    mask_word(word)
    assert time.perf_counter() - started < 0.1
