"""Write the page ``docs/faults.md``."""

from pathlib import Path

from tests.faults.page import documented

Path("docs/faults.md").write_text(documented(), encoding="utf-8")
