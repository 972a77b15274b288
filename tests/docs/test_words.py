"""Words that code, messages and documentation do not use, with their replacements.

Names are taken from the syntax tree and split at underscores and capitals. Text is every string and comment, and
the pages of the documentation; quoted code and strings of one word (keys, states) are not text.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("netops", "components", "pipeline", "tools")
PAGES = ("README.md", "CONTRIBUTING.md", "docs/*.md", "docs/runbooks/*.md", "configurations/*.yaml")

#: Words of names → what to write instead.
NAMES = {
    "told|tells?|telling": "message, summary, report, send; informative",
    "said": "message, statement",
    "hears?|heard": "receive, reported, recovered",
    "placed?|places": "index, position; location for a site; path for a file",
    "brought|brings?": "download, fetch, import",
    "stretch|stretches": "period, time range",
    "woven|lend": "inline, borrow",
    "befell|strangers": "incidents of, unknown",
    "taught|borne": "training label, corroborated",
    "judged?|judges|judgement": "assess, evaluate, assessment",
    "settled?|settles": "finish, close",
    "knows": "has, contains",
    "anew|nobody|somebody|whoever": "again, none, user",
}
#: Names that are keys of stored files or responses: files of an earlier version must still be read.
STORED = {
    "netops/models/card_sections.py": {"borne_out"},
    "netops/serving/engine/snapshot.py": {"heard"},
    "netops/serving/shadow/comparison.py": {"places"},
    "netops/serving/shadow/report.py": {"judged"},
}

#: Patterns of text → what to write instead.
TEXTS = {
    r"told|tells?|telling": "report, send, notify, distinguish",
    r"said|says": "report, contain, specify",
    r"hears?|heard(?! from again)": "receive, report",
    r"brought|brings?": "download, fetch, import, upgrade",
    r"nobody|somebody|whoever|whomever": "none, unknown, user, caller",
    r"anew|for good|at the least|in vain|so many": "again, permanently, at least, without result, the number",
    r"befell|strangers|woven|borne out|bears? out": "incidents of, unknown, inline, corroborate",
    r"stretch(?:es)?": "period, time range",
    r"(?:goes|went|go) on": "continue, resume",
    r"falls? silent|speaks? again": "stale (no data), recovered",
    r"judge[ds]?|judging|judgements?": "evaluate, assess",
    r"stands? for|as it (?:lies|stands)": "represent, in place",
    r"in the place of|takes? the place of": "instead of, replace",
    r"(?:lies|lie) (?:in|on|at|beside|where|there|between|outside|inside|within)": "is in, is at",
    r"besides?": "next to, in addition to, together with",
    r"foretold|foretells?|thereof|hence|thus|ought to": "predict, of it, therefore, must",
    r"(?:training|validation|test) parts?": "split",
    r"settled?": "finish, close",
    r"worth (?:looking|telling|trying)": "notable, candidate",
}

_NAME_WORDS = re.compile(rf"(?:^|_)({'|'.join(NAMES)})(?=_|$)", re.IGNORECASE)
_TEXT_WORDS = re.compile(rf"\b({'|'.join(TEXTS)})\b", re.IGNORECASE)
_CODE = re.compile(r"`+[^`]+`+|\"\w+\"|'\w+'")


def names_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the names that a module defines, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def texts_in(source: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of the strings and comments of a module."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.STRING, tokenize.COMMENT):
            yield from enumerate(token.string.splitlines(), token.start[0])


def instead_of(word: str, words: dict[str, str]) -> str:
    """Look up the replacement of a word that was found."""
    return next(instead for pattern, instead in words.items() if re.match(rf"(?:{pattern})\b", word, re.IGNORECASE))


def in_names(source: str, allowed: set[str]) -> Iterator[str]:
    """Report the words of names that are not used."""
    for line, name in names_in(ast.parse(source)):
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
        if name not in allowed and (found := _NAME_WORDS.search(words)):
            yield f"{line}: name '{name}': instead of '{found[1]}' write {instead_of(found[1], NAMES)}"


def in_texts(lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    """Report the words of text that are not used."""
    for line, text in lines:
        if found := _TEXT_WORDS.search(_CODE.sub("", text)):
            yield f"{line}: instead of '{found[1]}' write {instead_of(found[1], TEXTS)}"


@pytest.mark.parametrize("package", PACKAGES)
def test_code_uses_plain_words(package: str) -> None:
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        source, name = path.read_text(), path.relative_to(ROOT).as_posix()
        # Parsing every module takes seconds; most have no such word at all.
        if re.search(rf"(?<![A-Za-z])(?:{'|'.join(NAMES)})(?![a-z])", source, re.IGNORECASE):
            found += [f"{name}:{one}" for one in in_names(source, STORED.get(name, set()))]
        if _TEXT_WORDS.search(source):
            found += [f"{name}:{one}" for one in in_texts(texts_in(source))]
    assert not found, "\n".join(found)


def test_documentation_uses_plain_words() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{one}"
        for pattern in PAGES
        for path in sorted(ROOT.glob(pattern))
        for one in in_texts(iter(enumerate(path.read_text().splitlines(), 1)))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (
            "def told(x): pass",
            ["1: name 'told': instead of 'told' write message, summary"],
        ),
        ("class FirstPlace: pass", ["1: name 'FirstPlace': instead of 'Place' write index, position"]),
        ("x = replace(inplace, placement)", []),
    ],
)
def test_words_of_names_are_found(source: str, found: list[str]) -> None:
    assert [one[: len(two)] for one, two in zip(in_names(source, set()), found, strict=True)] == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('"""Tell nobody."""', ["1: instead of 'Tell'"]),
        ("x = 1\n# What it rests on lies beside it.", ["2: instead of 'lies beside'"]),
        ('kind = "told"  # a state, ``told`` too', []),
        ('"heard from again"', []),
    ],
)
def test_words_of_text_are_found(source: str, found: list[str]) -> None:
    assert [one[: len(two)] for one, two in zip(in_texts(texts_in(source)), found, strict=True)] == found
