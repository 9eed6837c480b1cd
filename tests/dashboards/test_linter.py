import shutil
import subprocess
from pathlib import Path

import pytest

from tests.dashboards.conftest import FILES, ROOT

IMPORTABLE = sorted((ROOT / "grafana" / "import").glob("*.json"))


@pytest.mark.parametrize("file", [*FILES, *IMPORTABLE], ids=lambda file: f"{file.parent.name}/{file.stem}")
@pytest.mark.linter("dashboard-linter")
def test_grafanas_own_linter_has_nothing_to_say(file: Path) -> None:
    linter = shutil.which("dashboard-linter")
    assert linter
    exceptions = ROOT / "grafana" / "dashboards" / ".lint"
    result = subprocess.run(
        [linter, "lint", "--strict", "--config", str(exceptions), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "❌" not in result.stdout
