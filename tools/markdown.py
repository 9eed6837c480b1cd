"""Tables in Markdown, and their places in a page.

A place is what stands between ``<!-- NAME: written by COMMAND -->`` and ``<!-- end of NAME -->``.
"""

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, without a line break at its end."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def fill(page: str, name: str, content: str) -> str:
    """Put content into its place in a page.

    Raises:
        ValueError: The page does not have this place exactly once.
    """
    place = re.compile(
        rf"(?P<begin><!-- {re.escape(name)}: written by [^\n]+ -->\n).*?(?P<end><!-- end of {re.escape(name)} -->)",
        re.DOTALL,
    )
    if len(place.findall(page)) != 1:
        raise ValueError(f"the page needs one place for {name}: <!-- {name}: written by … --> <!-- end of {name} -->")
    return place.sub(lambda match: f"{match['begin']}\n{content}\n\n{match['end']}", page)
