"""The systemd unit: systemd finds no fault with it, and the exporter finds what its configuration names."""

import configparser
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from exporter.simulator import DEFAULT_TOKEN
from tests.commands.blocks import block
from tests.conftest import MANDATORY
from tests.deploy import booted, sandbox

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


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page's commands take from the package index: the machine that is booted has no network."""
    folder = tmp_path_factory.mktemp("wheels")
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "-d", str(folder)]
    for wanted in (["--require-hashes", "-r", str(ROOT / "requirements.txt")], ["hatchling"]):
        subprocess.run([*download, *wanted], check=True)
    return folder


@pytest.mark.program("systemd-nspawn", "unshare", "git", "curl")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may boot a machine of its own")
@pytest.mark.skipif(not MANDATORY, reason="asks the package index: only where REQUIRE_PROGRAMS is set")
def test_the_service_runs_under_systemd(wheels: Path, tmp_path: Path) -> None:
    """The page to the letter, on a machine that systemd has booted, with a simulated API as the account's."""
    said = booted.run(
        SESSION.format(
            python=shlex.quote(sys.executable), page=block("docs/install/systemd.md", "python3 -m venv").text
        ),
        tmp_path,
        files={
            "etc/systemd/system/qoder-work-exporter.service.d/api.conf": DROP_IN,
            "etc/pip.conf": "[global]\nno-index = true\nfind-links = /srv/wheels\n",
        },
        folders={"/srv/wheels": wheels},
        typed=f"{DEFAULT_TOKEN}\n",
        timeout=300,
    )
    page, state, user, checkpoint, reloaded, journal, stopped = said.split("=====\n")
    assert 'state="active"}' in page
    properties = dict(line.split("=", 1) for line in state.splitlines())
    assert (properties["ActiveState"], properties["SubState"], properties["NRestarts"]) == ("active", "running", "0")
    assert properties["MainPID"] != "0"
    uid, seccomp, no_new_privileges, capabilities = user.split()
    assert 61184 <= int(uid) <= 65519  # DynamicUser's range
    assert (seccomp, no_new_privileges, int(capabilities, 16)) == ("2", "1", 0)
    assert int(checkpoint) > 0
    assert "config_last_reload_successful 1.0" in reloaded
    assert "checkpoint read" in journal
    assert journal.count("msg=stopped") == 2
    assert DEFAULT_TOKEN not in said
    assert sorted(stopped.splitlines()) == ["ActiveState=inactive", "Result=success"]


DROP_IN = "[Service]\nEnvironment=QODER_BASE_URL=http://127.0.0.1:8080/api/v1/cloud\n"
"""The account's API is the simulated one."""

SESSION = """
set -euo pipefail
cd /srv/repository
{python} -m exporter simulate --simulator.listen-address=127.0.0.1:8080 >/dev/null 2>&1 &
until curl -s -o /dev/null http://127.0.0.1:8080/; do kill -0 $!; sleep 0.1; done
{page}
echo =====
systemctl show qoder-work-exporter --property=ActiveState,SubState,NRestarts,MainPID
echo =====
pid=$(systemctl show qoder-work-exporter --property=MainPID --value)
awk '/^(Uid|Seccomp|NoNewPrivs|CapBnd):/ {{ found[$1] = $2 }}
     END {{ print found["Uid:"], found["Seccomp:"], found["NoNewPrivs:"], found["CapBnd:"] }}' "/proc/$pid/status"
echo =====
systemctl stop qoder-work-exporter
stat --format=%s /var/lib/qoder-work-exporter/checkpoint
systemctl start qoder-work-exporter
echo =====
systemctl reload qoder-work-exporter
curl -s http://127.0.0.1:10190/metrics | grep qoder_exporter_config_last_reload_successful
systemctl stop qoder-work-exporter
echo =====
journalctl --unit qoder-work-exporter --no-pager
echo =====
systemctl show qoder-work-exporter --property=ActiveState,Result
"""
"""What is done on the machine, and what is looked at after each step."""
