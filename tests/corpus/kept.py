"""The inputs that are kept, as cases and as seeds."""

from pathlib import Path

import pytest
from hypothesis import strategies as st

FOLDER = Path(__file__).parent
SURFACES = ("answers", "checkpoint", "configuration", "requests")


def kept(surface: str) -> dict[str, bytes]:
    """The inputs of a surface, by their names."""
    return {file.name: file.read_bytes() for file in sorted((FOLDER / surface).iterdir())}


def every(surface: str) -> pytest.MarkDecorator:
    """Runs a test with each input of a surface as ``content``."""
    found = kept(surface)
    return pytest.mark.parametrize("content", found.values(), ids=found)


@st.composite
def changed(draw: st.DrawFn, surface: str) -> bytes:
    """An input of a surface in which pieces are cut out, doubled, exchanged for those of another, or for anything."""
    found = list(kept(surface).values())
    content = draw(st.sampled_from(found))
    for _ in range(draw(st.integers(1, 3))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
        other = draw(st.sampled_from(found))[: draw(st.integers(0, 200))]
        piece = draw(st.sampled_from([b"", content[start:end] * 2, other]) | st.binary(max_size=9))
        content = content[:start] + piece + content[end:]
    return content
