"""Reads the Markdown of the repository: prose, links, code, commands."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^( *)```([\w-]*)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


@cache
def pages() -> dict[str, str]:
    """Give every page by its path: Markdown files, and the Markdown of the notebooks."""
    files = [
        *ROOT.glob("*.md"),
        *(
            path
            for folder in ("docs", "deploy", "benchmarks", "dashboards")
            for path in ROOT.glob(f"{folder}/**/*.md")
        ),
        *ROOT.glob("notebooks/*.ipynb"),
    ]
    return {str(path.relative_to(ROOT)): _text(path) for path in sorted(files)}


def _text(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def prose(text: str) -> str:
    """Leave out code in fences."""
    return _FENCE.sub("", text)


def code(text: str, language: str | None = None) -> list[str]:
    """List the code in fences, without its indentation."""
    found = ((indent, kind, body) for indent, kind, body in _FENCE.findall(text))
    return [
        re.sub(f"^{indent}", "", body, flags=re.MULTILINE)
        for indent, kind, body in found
        if language in (None, kind)
    ]


def links(text: str) -> list[str]:
    """List the targets of links and pictures."""
    plain = re.sub(r"`[^`\n]*`", "", prose(text))
    return [*re.findall(r"\]\(([^)\s]+)\)", plain), *re.findall(r'(?:src|href)="([^"]+)"', plain)]


def anchors(text: str) -> set[str]:
    """Give the anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(text: str) -> Iterator[tuple[str, bool]]:
    """Give every ``netops`` command, and whether it stands on a line of its own, to be typed as it is."""
    whole = [*code(text), *re.findall(r"(?:^ {4}\S.*\n?)+", prose(text), re.MULTILINE)]
    for block in whole:
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.match(r"(?:\$ )?\s*(netops [a-z-].*)", line):
                yield found[1], True
    for found in re.findall(r"`(netops [a-z-][^`]*)`", prose(text)):
        yield " ".join(found.split()), False
