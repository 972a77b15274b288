"""What the pages say is there: links, files, commands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from netops.cli.main import cli
from tests.docs.pages import ROOT, anchors, commands, links, pages, prose

FOLDERS = "netops|components|pipeline|configurations|dashboards|notebooks|benchmarks|tests|docs|deploy"
COMMANDS = [
    pytest.param(command, whole, id=f"{page}: {command[:60]}")
    for page, text in pages().items()
    for command, whole in commands(text)
]


@pytest.mark.parametrize("page", pages())
def test_every_relative_link_resolves(page: str) -> None:
    assert [target for target in links(pages()[page]) if not resolves(page, target)] == []


@pytest.mark.parametrize("page", pages())
def test_every_file_that_is_named_is_there(page: str) -> None:
    named = set(re.findall(rf"(?<![\w/.])`?((?:{FOLDERS})/[\w./-]+\.\w+)`", prose(pages()[page])))
    examples = {
        "netops/training/families/logistic.py",
        "netops/telemetry/sources/jsonl.py",
        "netops/serving/alerts/receivers/ntfy.py",
        "netops/serving/requests/endpoints/risks.py",
        "netops/features/statistics/variation.py",
    }
    assert sorted(name for name in named - examples if not (ROOT / name).exists()) == []


def test_the_index_leads_to_every_page() -> None:
    led = {target.partition("#")[0] for target in links(pages()["docs/index.md"])}
    missing = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"} - led
    assert not missing, f"add them to docs/index.md: {sorted(missing)}"


@pytest.mark.parametrize(("command", "whole"), COMMANDS)
def test_the_command_is_one(command: str, whole: bool) -> None:
    words = list(until_shell(shlex.split(command, comments=True)))[1:]
    found: click.Command = cli
    context = click.Context(cli, info_name="netops")
    while isinstance(found, click.Group) and words and not words[0].startswith("-"):
        verb = words.pop(0)
        following = found.get_command(context, verb)
        assert following is not None, f"no such command '{verb}'"
        found = following
    known = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known | {"--help"}]
    assert unknown == []
    if whole and not isinstance(found, click.Group):
        found.make_context(found.name, words, parent=context)


def until_shell(words: list[str]) -> Iterator[str]:
    """Give the words up to where the shell begins: &, a pipe, a redirection."""
    for word in words:
        if word in ("&", "|", ">", "&&", ";"):
            return
        yield word


def resolves(page: str, target: str) -> bool:
    if re.match(r"[a-z]+:", target):
        return True
    name, _, anchor = target.partition("#")
    path = (ROOT / page).parent / name if name else ROOT / page
    if not path.exists():
        return False
    return not anchor or path.suffix != ".md" or anchor in anchors(path.read_text(encoding="utf-8"))


def test_what_is_wrong_is_seen(tmp_path: Path) -> None:
    assert not resolves("docs/index.md", "no-such-page.md")
    assert not resolves("docs/index.md", "concepts.md#no-such-heading")
    assert resolves("docs/index.md", "concepts.md#feature-vector")
    assert list(commands("```\nnetops run --x\n```\nSee `netops prune`.")) == [
        ("netops run --x", True),
        ("netops prune", False),
    ]
