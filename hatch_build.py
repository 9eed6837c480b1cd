"""Records the commit in what is built, as exporter/revision.txt; a checkout itself has no such file."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

RECORD = "exporter/revision.txt"


class RevisionHook(BuildHookInterface):
    """Adds the record to wheels and source archives; a wheel built from a source archive keeps the archive's."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the record to a file of its own and add that, so that a build leaves the checkout as it is."""
        if version == "editable":
            return
        recorded = Path(self.root) / RECORD
        if not recorded.exists():
            self.scratch = tempfile.TemporaryDirectory()
            recorded = Path(self.scratch.name) / "revision.txt"
            recorded.write_text(f"{self._revision()}\n", encoding="utf-8")
            recorded.chmod(0o644)
        build_data["force_include"][str(recorded)] = RECORD

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was written."""
        if hasattr(self, "scratch"):
            self.scratch.cleanup()

    def _revision(self) -> str:
        if given := os.environ.get("REVISION"):
            return given
        try:
            done = subprocess.run(
                ["git", "rev-parse", "HEAD"],  # noqa: S607 - the builder's own git
                cwd=self.root,
                capture_output=True,
                text=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            return "unknown"  # a copy of the files without their history
        return done.stdout.strip()
