"""Additions to ``docs/`` for the site: pages of the root, and links to repository files (hooks of MkDocs)."""

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: Page of the site → file of the repository.
PAGES = {"contributing.md": "CONTRIBUTING.md", "security.md": "SECURITY.md", "changelog.md": "CHANGELOG.md"}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages in the root of the repository."""
    from mkdocs.structure.files import File

    for page, source in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links at pages of the site; a file that is no page is named instead of linked."""
    return rewritten(markdown, page.file.src_uri)


def rewritten(markdown: str, page: str) -> str:
    """Rewrite the links of one page.

    Parameters
    ----------
    markdown : str
        Its text.
    page : str
        Its path in the site.
    """
    fences = re.split(r"(^```.*?^```)", markdown, flags=re.M | re.S)
    return "".join(text if text.startswith("```") else _LINK.sub(_link(page), text) for text in fences)


def _link(page: str) -> Any:
    folder = posixpath.dirname(page)
    source = posixpath.dirname(PAGES[page]) if page in PAGES else posixpath.join("docs", folder)

    def link(found: re.Match[str]) -> str:
        mark, text, target = found.groups()
        path, hash_, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:") or not path:
            return found[0]
        file = posixpath.normpath(posixpath.join(source, path))
        if (there := _page_of(file)) is None:
            return found[0] if file.startswith("docs/") else text
        return f"{mark}[{text}]({posixpath.relpath(there, folder or '.')}{hash_}{anchor})"

    return link


def _page_of(file: str) -> str | None:
    """Return the page of the site that shows a file of the repository, None where there is none."""
    if file == "README.md":
        return "index.md"
    for page, source in PAGES.items():
        if source == file:
            return page
    return file.removeprefix("docs/") if file.startswith("docs/") and file.endswith((".md", ".png")) else None
