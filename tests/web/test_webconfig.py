"""The web configuration file: the exporter-toolkit's own cases re-created, and some more, as files."""

import re
from pathlib import Path

import pytest

from exporter.cli.web import load_security
from exporter.config import ConfigError
from exporter.web.security import Security
from tests.web.certificates import certificates

CASES = Path(__file__).parent / "webconfig"
GOOD = sorted(CASES.glob("*.good.yml"))
BAD = sorted(CASES.glob("*.bad.yml"))


def placed(case: Path, directory: Path) -> Path:
    """A case beside certificates of the names that it uses."""
    certificates().write(directory)
    file = directory / "web.yml"
    file.write_text(case.read_text())
    return file


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name.removesuffix(".good.yml"))
def test_a_good_file_is_taken(case: Path, tmp_path: Path) -> None:
    security = load_security(placed(case, tmp_path))
    text = case.read_text()
    assert (security.tls is not None) is ("cert_file" in text)
    assert bool(security.users) is ("alice" in text)
    assert bool(security.headers) is ("headers" in text)
    assert (security.rate is not None) is ("interval: 1s" in text)
    assert (security.allowed_names is not None) is ("allowed_sans" in text)


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name.removesuffix(".bad.yml"))
def test_a_bad_file_is_refused_with_the_reason(case: Path, tmp_path: Path) -> None:
    file = placed(case, tmp_path)
    expected = case.read_text().partition("\n")[0].removeprefix("# ")
    with pytest.raises(ConfigError) as refused:
        load_security(file)
    problems = [str(problem) for problem in refused.value.problems]
    assert any(re.search(expected, problem) for problem in problems), problems
    assert all(problem.startswith(f"{file}") and "\n" not in problem for problem in problems)


def test_a_password_in_clear_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text("basic_auth_users:\n  john: hunter2-in-clear\n")
    with pytest.raises(ConfigError) as refused:
        load_security(file)
    assert "hunter2" not in str(refused.value)
    assert ":2: basic_auth_users.john: not a bcrypt hash" in str(refused.value)


def test_a_file_that_is_not_there_or_too_large_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yml: cannot read the web configuration file: No such file"):
        load_security(tmp_path / "no.yml")
    large = tmp_path / "large.yml"
    large.write_text("#" * 1_048_577)
    with pytest.raises(ConfigError, match=r"large\.yml: cannot read .*: it has more than 1,048,576 bytes"):
        load_security(large)


def test_without_a_file_nothing_is_protected() -> None:
    assert load_security(None) == Security()


def test_certificate_and_key_may_stand_in_the_file(tmp_path: Path) -> None:
    server = certificates().server
    file = tmp_path / "web.yml"
    lines = ["tls_server_config:"]
    for name, blob in (("cert", server.cert_chain_pems[0]), ("key", server.private_key_pem)):
        lines += [f"  {name}: |", *(f"    {line}" for line in blob.bytes().decode().splitlines())]
    file.write_text("\n".join(lines))
    assert load_security(file).tls is not None


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = placed(CASES / "require-and-verify.good.yml", tmp_path)
    monkeypatch.chdir("/")
    names = {path.relative_to(tmp_path).as_posix() for path in load_security(file).files}
    assert names == {"web.yml", "server.crt", "server.key", "ca.pem"}
