"""Labels: which names are taken, what becomes of a metadata key, and which text a value may have."""

import re
from functools import lru_cache
from unicodedata import category

from exporter.metrics import table

RESERVED = frozenset(table.ITEMS.labels)
"""Labels that ``qoder_work_items`` has already."""

OF_PROMETHEUS = frozenset({"job", "instance", "quantile", "le"})
"""Labels that Prometheus adds to every series, and those it gives a meaning of their own. A metadata key of that name
becomes ``metadata_job`` and so on: Prometheus would rename it to ``exported_job``, and queries by ``job`` would mean
the exporter's."""

MAX_LENGTH = 128
"""Characters of a label's value; Qoder's own names and IDs are far shorter."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control and format characters, surrogates, line and paragraph separators: what breaks lines, turns the direction of
the text around it, or has no encoding. Every reader of the exposition, of logs and of terminals is safe from them, also
one that splits lines as ``str.splitlines`` does."""


def label_name(key: str) -> str:
    """Return the label of a metadata key.

    What Prometheus does not accept becomes an underscore; a label that is its own gets the prefix ``metadata_``.
    """
    name = re.sub(r"[^a-zA-Z0-9_]", "_", key)
    if name in OF_PROMETHEUS:
        return f"metadata_{name}"
    return f"_{name}" if name[:1].isdigit() else name


def label_value(text: str) -> str:
    """Return untrusted text as the value of a label: printable, on one line, at most `MAX_LENGTH` characters.

    An unsafe character becomes U+FFFD, and what is cut off an ellipsis. Different texts can become the same value;
    who makes several series of them adds those up.
    """
    if len(text) > MAX_LENGTH:
        text = text[: MAX_LENGTH - 1] + "…"
    return text if text.isprintable() else _printable(text)


@lru_cache(maxsize=4096)
def _printable(text: str) -> str:
    return "".join(REPLACEMENT if category(character) in _UNSAFE else character for character in text)
