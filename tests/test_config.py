"""The configuration file: what it may say, what it must not, and how each mistake is reported."""

import contextlib
import json
import os
import re
import threading
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import (
    Account,
    Alerts,
    Config,
    ConfigError,
    Discovery,
    Duration,
    Environment,
    EnvironmentThresholds,
    Histograms,
    History,
    Links,
    Metrics,
    Probe,
    Scrape,
    load,
    overlaps,
)
from exporter.config.decode import MAX_PROBLEMS
from exporter.config.document import Document

DIRECTORY = Path(__file__).parent / "config"
SECRET = "must-never-be-shown"
ENVIRON = {"QODER_PAT": f"pt-{SECRET}", "EMPTY_VARIABLE": " \n"}
EXAMPLE = Path(__file__).parent.parent / "config.example.yaml"


def names(pattern: str) -> list[str]:
    return sorted(file.name for file in DIRECTORY.glob(pattern))


def expected_errors(file: Path) -> list[str]:
    errors = re.findall(r"^# error: (.*)$", file.read_text(), re.MULTILINE)
    return [f"{file}:" + (error if error[0].isdigit() else f" {error}").format(directory=DIRECTORY) for error in errors]


@pytest.mark.parametrize("name", names("*.bad.yml"))
def test_a_bad_configuration_gives_the_errors_that_stand_in_it(name: str) -> None:
    file = DIRECTORY / name
    with pytest.raises(ConfigError) as caught:
        load(file, ENVIRON)
    assert [str(problem) for problem in caught.value.problems] == expected_errors(file)


@pytest.mark.parametrize("name", names("*.bad.yml"))
def test_no_error_shows_a_secret_or_has_more_than_one_line(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(DIRECTORY / name, ENVIRON)
    for problem in caught.value.problems:
        assert SECRET not in str(problem)
        assert "\n" not in str(problem)


@pytest.mark.parametrize("name", names("*.good.yml"))
def test_a_good_configuration_decodes(name: str) -> None:
    assert load(DIRECTORY / name, ENVIRON).accounts


def test_an_empty_file_is_the_same_as_no_file() -> None:
    assert load(DIRECTORY / "empty.good.yml", ENVIRON) == load(None, ENVIRON)


def test_without_a_file_one_account_discovers_its_environments_with_the_token_of_the_environment() -> None:
    (account,) = load(None, ENVIRON).accounts
    assert account == Account(name="default", token_env="QODER_PAT")
    assert account.base_url == "https://api.qoder.com/api/v1/cloud"
    assert account.environments is None


def test_without_a_file_and_without_a_token_the_error_names_both_ways_out() -> None:
    with pytest.raises(ConfigError, match=r"QODER_PAT is not set; set it to the token, or name a .* --config.file"):
        load(None, {})


def test_the_base_url_of_the_environment_overrides_the_default_alone() -> None:
    environ = ENVIRON | {"QODER_BASE_URL": "http://127.0.0.1:8080/cloud/"}
    assert load(None, environ).accounts[0].base_url == "http://127.0.0.1:8080/cloud"
    assert load(DIRECTORY / "one-environment.good.yml", environ).accounts[0].base_url == "http://127.0.0.1:8080/cloud"
    international, china = load(DIRECTORY / "two-regions.good.yml", environ).accounts
    assert international.base_url == "http://127.0.0.1:8080/cloud"
    assert china.base_url == "https://api.qoder.com.cn/api/v1/cloud"


def test_an_empty_base_url_of_the_environment_counts_as_unset() -> None:
    assert load(None, ENVIRON | {"QODER_BASE_URL": ""}) == load(None, ENVIRON)


def test_a_bad_base_url_of_the_environment_is_reported_once_under_its_variable() -> None:
    with pytest.raises(ConfigError) as caught:
        load(DIRECTORY / "empty.good.yml", ENVIRON | {"QODER_BASE_URL": f"https://me:{SECRET}@api.qoder.com"})
    assert str(caught.value) == (
        "QODER_BASE_URL: the URL must not hold a user name or a password; the token comes from token_env or token_file"
    )


def test_two_accounts_with_one_bad_base_url_of_the_environment_give_one_error(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("accounts: [{name: a, token_env: QODER_PAT}, {name: b, token_env: QODER_PAT}]")
    with pytest.raises(ConfigError) as caught:
        load(file, ENVIRON | {"QODER_BASE_URL": "nowhere"})
    assert len(caught.value.problems) == 1


def test_files_are_relative_to_the_configuration_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("pt-1\n")
    (tmp_path / "config.yml").write_text(
        "accounts: [{token_file: token}]\nhistory: {checkpoint: progress.json}\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path.parent)
    config = load(Path(tmp_path.name) / "config.yml", {})
    assert config.accounts[0].token_file == tmp_path / "token"
    assert config.history.checkpoint == tmp_path / "progress.json"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "cannot read the configuration file: No such file or directory"),
        (b"\xff\xff\xff", "not a YAML file in UTF-8: unacceptable character #x00ff: invalid start byte"),
        (b"a: \x01", "not a YAML file in UTF-8: unacceptable character #x0001: special characters are not allowed"),
        (b"[" * 5000, "not a configuration: it is nested too deeply"),
        (b"accounts: &a [*a]", "accounts[0]: expected a mapping, got a list"),
        (b"? [a]\n: 1", "a key must be text, not a list or a mapping"),
    ],
)
def test_what_is_no_configuration_file_at_all(tmp_path: Path, content: bytes | None, error: str) -> None:
    file = tmp_path / "config.yml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(file, ENVIRON)
    assert re.sub(r"^.*config\.yml(:1)?: ", "", str(caught.value)) == error


def test_a_file_of_20_megabytes_is_refused_at_once(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_bytes(b"# \n" * 7_000_000)
    with pytest.raises(ConfigError, match="the configuration file is larger than 1024 KiB"):
        load(file, ENVIRON)


def test_thousands_of_mistakes_do_not_take_long_to_report(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("".join(f"key{number}: 1\n" for number in range(5000)))
    with pytest.raises(ConfigError) as caught:
        load(file, ENVIRON)
    assert len(caught.value.problems) == MAX_PROBLEMS


def test_aliases_of_aliases_do_not_grow(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 30)]
    file.write_text("\n".join(["l0: &l0 [lol]", *levels, "accounts: *l29"]))
    with pytest.raises(ConfigError, match="unknown key"):
        load(file, ENVIRON)


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "config.yml"
    os.mkfifo(pipe)

    def write() -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever only looks at the pipe may be gone before this is written
            pipe.write_text("accounts: [{name: piped, token_env: QODER_PAT}]")

    for again in (False, True):
        writer = threading.Thread(target=write)
        writer.start()
        if not again:
            assert load(pipe, ENVIRON).accounts[0].name == "piped"
        else:
            with pytest.raises(ConfigError, match="no regular file, and cannot be read a second time"):
                load(pipe, ENVIRON, again=True)
        writer.join()


UNUSABLE_FILES = {
    "NUL": "a\0b",
    "half a character": "a\ud800b",
    "a name too long": "n" * 300,
    "a path too long": "/".join(["n" * 200] * 30),
    "behind a file": "file/below",
    "a loop": "loop",
    "a pipe": "pipe",
    "behind a device": "/dev/null/x",
    "a device without end": "/dev/zero",
    "a socket in a directory that is not there": "none/below",
}


@pytest.mark.parametrize("name", UNUSABLE_FILES)
@pytest.mark.parametrize("key", ["token_file", "checkpoint"])
def test_a_path_that_cannot_be_used_is_one_line(tmp_path: Path, name: str, key: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    value = json.dumps(UNUSABLE_FILES[name])
    file = tmp_path / "config.yml"
    section = f"accounts: [{{token_file: {value}}}]" if key == "token_file" else f"history: {{checkpoint: {value}}}"
    file.write_text(section)
    with pytest.raises(ConfigError) as caught:
        load(file, ENVIRON)
    (problem,) = caught.value.problems
    assert problem.path[-1] == key
    assert "\n" not in str(problem)


def test_a_checkpoint_whose_file_beside_it_could_not_be_named_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text(f"history: {{checkpoint: {'n' * 250}}}")
    with pytest.raises(ConfigError, match="too long for a file that is replaced through a temporary one"):
        load(file, ENVIRON)


def test_a_checkpoint_that_is_mounted_as_a_single_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "check point").write_bytes(b"")
    file = tmp_path / "config.yml"
    file.write_text("history: {checkpoint: check point}")
    load(file, ENVIRON)
    mounts = f"36 35 98:0 / {tmp_path}/check\\040point rw - ext4 /dev/root rw\n".encode()
    monkeypatch.setattr(Path, "read_bytes", lambda self: mounts)
    with pytest.raises(ConfigError, match="mounted as a single file and cannot be replaced; mount its directory"):
        load(file, ENVIRON)


@pytest.mark.parametrize("host", ["a..example.com", ".example.com", "n" * 64 + ".com", "a" + ".n" * 130])
def test_a_host_that_no_resolver_takes_is_refused(tmp_path: Path, host: str) -> None:
    file = tmp_path / "config.yml"
    file.write_text(f"accounts: [{{token_env: QODER_PAT, base_url: 'https://{host}/v1'}}]")
    with pytest.raises(ConfigError) as caught:
        load(file, ENVIRON)
    assert len(caught.value.problems) == 1
    assert "host" in str(caught.value) or "URL" in str(caught.value)


def test_proxies_and_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    with pytest.raises(ConfigError) as caught:
        load(None, ENVIRON)
    assert str(caught.value) == f"SSL_CERT_FILE: {tmp_path / 'gone.pem'} cannot be read: No such file or directory"
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ConfigError) as caught:
        load(None, ENVIRON | {"HTTPS_PROXY": f"socks5://me:{SECRET}@proxy:1080"})
    assert str(caught.value) == "HTTPS_PROXY: a proxy of socks5 is not supported; use http:// or https://"


def test_one_environment_id_may_be_listed_at_two_apis(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text(
        "accounts:\n"
        "  - {name: a, token_env: QODER_PAT, environments: [id: env_1]}\n"
        "  - {name: b, token_env: QODER_PAT, environments: [id: env_1], base_url: 'https://api.qoder.com.cn/v1'}\n"
    )
    assert len(load(file, ENVIRON).accounts) == 2


def test_accounts_that_may_see_the_same_are_named(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text(
        "accounts:\n"
        "  - {name: a, token_env: QODER_PAT}\n"
        "  - {name: b, token_env: QODER_PAT}\n"
        "  - {name: c, token_env: QODER_PAT, base_url: 'https://api.qoder.com.cn/v1'}\n"
    )
    (note,) = overlaps(load(file, ENVIRON))
    assert note == (
        "the accounts a and b use the same API, and both discover their environments; "
        "an environment that both see is read through a"
    )


def test_a_directory_is_no_configuration_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the configuration file: Is a directory"):
        load(tmp_path, ENVIRON)


def test_the_sections_say_what_the_file_says() -> None:
    international, china = load(DIRECTORY / "two-regions.good.yml", ENVIRON).accounts
    assert international.name == "international"
    assert international.requests_per_second == china.requests_per_second == 20
    assert international.discovery == Discovery(include=("gpu-.*",), exclude=("gpu-test",))
    assert load(DIRECTORY / "one-environment.good.yml", ENVIRON).accounts[0].environments == (
        Environment(id="env_019e64e01a137caf953ac2ac7b42ec5c"),
    )
    assert load(DIRECTORY / "labels.good.yml", ENVIRON).metrics == Metrics(
        metadata_labels=("job", "team.name", "2nd"), max_label_values=10
    )
    assert load(DIRECTORY / "histograms.good.yml", ENVIRON).metrics.histograms == Histograms(
        queue_age=(Duration(60), Duration(300), Duration(1800)), startup=(), drain=False
    )
    assert load(DIRECTORY / "links.good.yml", ENVIRON).links == Links(session=None)
    assert load(DIRECTORY / "links.good.yml", ENVIRON).probe == Probe(allow_any=True)
    assert load(DIRECTORY / "durations.good.yml", ENVIRON).history == History(
        resync_interval=Duration(0), lookback=Duration(604800)
    )


def test_nothing_in_a_configuration_can_be_changed() -> None:
    config = load(None, ENVIRON)
    with pytest.raises(AttributeError):
        config.accounts[0].name = "other"  # type: ignore[misc]


def test_a_configuration_does_not_hold_the_token() -> None:
    assert SECRET not in repr(load(DIRECTORY / "token-file.good.yml", ENVIRON))
    assert SECRET not in repr(load(None, ENVIRON))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("10s", 10),
        ("5m", 300),
        ("24h", 86400),
        ("7d", 604800),
        ("1h30m", 5400),
        ("1d2h3m4s5ms", 93784.005),
    ],
)
def test_a_duration_is_a_number_of_seconds(text: str, seconds: float) -> None:
    assert Duration.parse(text) == seconds
    assert str(Duration.parse(text)) == text.replace("24h", "1d")


@given(st.integers(min_value=0, max_value=10**12))
def test_a_duration_reads_as_it_is_written(milliseconds: int) -> None:
    duration = Duration(milliseconds / 1000)
    assert Duration.parse(str(duration)) == duration


TEXTS = st.sampled_from(["", "x", "10s", "QODER_PAT", "env_a", ".*", "https://api.qoder.com", "state"]) | st.text(
    max_size=5
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | TEXTS
TYPES: tuple[type[msgspec.Struct], ...] = (
    *(
        Config,
        Account,
        Environment,
        Discovery,
        Scrape,
        History,
        Metrics,
        Histograms,
        Probe,
        Alerts,
        EnvironmentThresholds,
        Links,
    ),
)
KEYS = st.sampled_from([field for type_ in TYPES for field in type_.__struct_fields__])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(KEYS | TEXTS, VALUES, max_size=5))
def test_whatever_the_document_holds_it_decodes_or_says_why_not(
    tmp_path_factory: pytest.TempPathFactory, data: object
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yml"
    file.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    try:
        outcome: Config | ConfigError = load(file, ENVIRON)
    except ConfigError as error:
        outcome = error
    if isinstance(outcome, ConfigError):
        assert outcome.problems
        assert all(str(problem).startswith(str(file)) for problem in outcome.problems)


def test_a_line_is_found_through_mappings_and_lists() -> None:
    document = Document("a:\n  - b: 1\n\n    c: 2\n")
    assert document.line(("a", 0, "c")) == 4
    assert document.line(("a", 0, "missing")) == 2
    assert document.line(("missing",)) is None


class TestExample:
    """config.example.yaml, from which users begin."""

    def comments(self) -> dict[str, str]:
        """The trailing comment of each key's line, by the key."""
        return dict(re.findall(r"^[ -]*(\w+):[^#\n]*# (.*)$", EXAMPLE.read_text(), re.MULTILINE))

    def test_it_decodes(self) -> None:
        config = load(EXAMPLE, ENVIRON)
        assert config.accounts[0].token_env == "QODER_PAT"

    def test_it_shows_every_key(self) -> None:
        text = EXAMPLE.read_text()
        for type_ in TYPES:
            for field in type_.__struct_fields__:
                assert re.search(rf"^[ #-]*{field}:", text, re.MULTILINE), f"{type_.__name__}.{field}"

    def test_what_it_calls_the_default_is_the_default(self) -> None:
        data = yaml.safe_load(EXAMPLE.read_text())
        config = load(EXAMPLE, ENVIRON)
        shown = 0
        for section, given_, default in [
            (data["accounts"][0], config.accounts[0], Account()),
            (data["accounts"][0].get("discovery", {}), config.accounts[0].discovery, Discovery()),
            *(
                (data.get(name, {}), getattr(config, name), getattr(Config(), name))
                for name in ("scrape", "history", "metrics", "probe", "alerts", "links")
            ),
            (data["metrics"]["histograms"], config.metrics.histograms, Histograms()),
        ]:
            for key in section:
                if self.comments().get(key, "").startswith("default"):
                    assert getattr(given_, key) == getattr(default, key), key
                    shown += 1
        assert shown > 23
