"""The runbooks, which links in alerts and on the status page lead to: every installation has them with the exporter."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_HERE = re.compile(r"https?://|#|[a-z]+\.md(#|$)")


@cache
def names() -> Mapping[str, str]:
    """The names of all alerts with a runbook, by their names in lower case."""
    files = [file for file in (resources.files("exporter.web") / "runbooks").iterdir() if file.name.endswith(".md")]
    titles = (file.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") for file in files)
    return {title.lower(): title for title in sorted(titles)}


@cache
def html(name: str) -> Markup:
    """A runbook as HTML.

    Args:
        name: One of the keys of `names`.
    """
    text = (resources.files("exporter.web") / "runbooks" / f"{name}.md").read_text(encoding="utf-8")
    tokens = _MARKDOWN.parse(text)
    for token in tokens:
        _unlink(token.children or ())
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))  # noqa: S704 - our own, without HTML in it


def _unlink(tokens: Sequence[Token]) -> None:
    """Turn links to pages that the exporter does not serve into plain text."""
    plain = False
    for token in tokens:
        if token.type == "link_open":
            plain = not _HERE.match(str(token.attrs["href"]))
        if plain and token.type in {"link_open", "link_close"}:
            token.tag, token.attrs = "span", {}
