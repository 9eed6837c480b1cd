"""The names of labels: which are taken, and what becomes of a metadata key."""

import re

from exporter.metrics import table

RESERVED = frozenset({*table.ITEMS.labels, "le"})
"""Labels that ``qoder_work_items`` has already, and the one that Prometheus gives a meaning of its own."""


def label_name(key: str) -> str:
    """Return the label of a metadata key: what Prometheus does not accept becomes an underscore."""
    name = re.sub(r"[^a-zA-Z0-9_]", "_", key)
    return f"_{name}" if name[:1].isdigit() else name
