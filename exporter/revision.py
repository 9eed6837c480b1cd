"""The commit that this was built from."""

from functools import cache
from importlib.resources import files

UNKNOWN = "unknown"


@cache
def revision() -> str:
    """Return the commit's hash as the build recorded it in ``revision.txt``; `UNKNOWN` in a checkout."""
    recorded = files("exporter") / "revision.txt"
    return recorded.read_text(encoding="utf-8").strip() if recorded.is_file() else UNKNOWN
