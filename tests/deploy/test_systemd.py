"""The systemd unit: systemd finds no fault with it, and the exporter finds what its configuration names."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy import sandbox

ROOT = Path(__file__).parents[2]
HOME = ROOT / "deploy" / "systemd"
UNIT = HOME / "qoder-work-exporter.service"
PAGE = ROOT / "docs" / "install" / "systemd.md"
INSTALLED = "/opt/qoder-work-exporter/bin/qoder-work-exporter"


@pytest.fixture(scope="module")
def unit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unit, with a program that is there."""
    here = tmp_path_factory.mktemp("systemd") / UNIT.name
    here.write_text(UNIT.read_text().replace(INSTALLED, sys.executable))
    return here


def service() -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign] # as configparser's documentation does
    parser.read(UNIT)
    return dict(parser["Service"])


def analyzed(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.program("systemd-analyze")
def test_systemd_finds_no_fault_with_it(unit: Path) -> None:
    done = analyzed("verify", "--man=no", str(unit))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.program("systemd-analyze")
def test_its_exposure_is_the_one_the_page_names(unit: Path) -> None:
    done = analyzed("security", "--offline=true", "--threshold=20", str(unit))
    assert done.returncode == 0, done.stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+) ", done.stdout)
    assert found
    named = re.search(r"exposure\s+level\s+([\d.]+)", PAGE.read_text())
    assert named
    assert float(named[1]) == pytest.approx(float(found[1]), abs=0.3)  # versions of systemd differ a little


@pytest.mark.program("bwrap")
def test_the_exporter_accepts_the_configuration_with_what_the_unit_provides(tmp_path: Path) -> None:
    described = service()
    name, _, _ = described["LoadCredential"].partition(":")
    assert described["StateDirectory"] == "qoder-work-exporter"
    (tmp_path / "token").write_text("pt-example")
    flag = described["ExecStart"].removeprefix(f"{INSTALLED} ")
    done = sandbox.run(
        [sys.executable, "-m", "exporter", "check", flag],
        files={
            flag.partition("=")[2]: HOME / "config.yaml",
            f"/run/credentials/{UNIT.name}/{name}": tmp_path / "token",
        },
        directories=["/var/lib/qoder-work-exporter"],
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_the_token_is_in_no_variable() -> None:
    (account,) = yaml.safe_load((HOME / "config.yaml").read_text())["accounts"]
    assert "Environment" not in service()
    assert account["token_file"].startswith("/run/credentials/")
