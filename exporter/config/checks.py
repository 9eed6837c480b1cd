"""What a configuration can still get wrong once every value has the right type."""

import difflib
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import httpx

from exporter.api.certificates import trusted
from exporter.api.proxies import proxy_for
from exporter.api.variables import VariableError
from exporter.config.credentials import check_base_url, check_token
from exporter.config.document import Document
from exporter.config.duration import Duration
from exporter.config.model import (
    SESSION_ID,
    Account,
    Alerts,
    Buckets,
    Config,
    Discovery,
    Environment,
    History,
    Links,
    Metrics,
    Scrape,
)
from exporter.config.problem import KeyPath, Problem, show
from exporter.histogram import SECONDS_TO_A_WEEK
from exporter.metrics.labels import RESERVED, label_name
from exporter.overrides import OF_ENVIRONMENTS
from exporter.thresholds import REASONS, decode
from exporter.tracking.patterns import Pattern, PatternError

Finding = tuple[KeyPath, str]
"""Where something is wrong, and what."""

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def check(config: Config, document: Document, environ: Mapping[str, str]) -> list[Problem]:
    """Find everything that keeps a configuration from being used.

    Args:
        config: The decoded configuration.
        document: What it was decoded from; knows what was written, and where.
        environ: The environment variables.

    Returns:
        The problems, in no particular order.
    """
    findings = (
        *_accounts(config.accounts, document, environ),
        *_environments(config.accounts),
        *_scrape(config.scrape),
        *_history(config.history),
        *_metrics(config.metrics),
        *_alerts(config.alerts),
        *_links(config.links),
    )
    problems = [Problem(message, path, document.line(path)) for path, message in findings]
    return [*problems, *dict.fromkeys(_network(config.accounts, environ))]


NO_TEXT = "the name has half of a surrogate pair, which is no character; write the character itself"


def _is_text(name: str) -> bool:
    """Whether a name can be written out: YAML's escapes can make strings that no encoding has."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _network(accounts: Sequence[Account], environ: Mapping[str, str]) -> Iterator[Problem]:
    """What the variables of the operating system say that would keep a client from being made."""
    for account in accounts:
        try:
            proxy_for(account.base_url, environ)
            if urlsplit(account.base_url).scheme == "https":
                trusted()
        except VariableError as error:
            variable, _, message = str(error).partition(": ")
            yield Problem(message, source=variable)
        except (ValueError, httpx.InvalidURL):
            continue  # an address that is no URL is reported as such


def _alerts(alerts: Alerts) -> Iterator[Finding]:
    wrong = list(_thresholds(alerts.thresholds, {}, frozenset(REASONS)))
    yield from ((("alerts", "thresholds", *path), message) for path, message in wrong)
    usual = {} if wrong else alerts.thresholds
    for i, some in enumerate(alerts.environment_thresholds):
        where = ("alerts", "environment_thresholds", i)
        try:
            Pattern(some.environments)
        except PatternError as error:
            yield (*where, "environments"), f"`{some.environments}` is not a regular expression: {error}"
        if not some.environments:
            yield (*where, "environments"), "the pattern is empty"
        if not some.thresholds:
            yield (*where, "thresholds"), "no threshold is given"
        for path, message in _thresholds(some.thresholds, usual, OF_ENVIRONMENTS):
            yield (*where, "thresholds", *path), message


def _thresholds(given: Mapping[str, float], usual: Mapping[str, float], allowed: frozenset[str]) -> Iterator[Finding]:
    """What is wrong with thresholds; paths are relative to them."""
    for name, value in given.items():
        if name not in REASONS:
            near = difflib.get_close_matches(name, sorted(allowed), n=1)
            yield (
                (name,),
                "unknown threshold; " + (f"did you mean `{near[0]}`?" if near else "docs/alerts.md lists them"),
            )
        elif name not in allowed:
            yield (name,), "this threshold cannot differ between environments"
        else:
            try:
                decode({**usual, name: value})
            except ValueError as error:
                yield (name,), str(error).removeprefix(f"{name} ")


def _accounts(accounts: Sequence[Account], document: Document, environ: Mapping[str, str]) -> Iterator[Finding]:
    if not accounts:
        yield ("accounts",), "the list is empty; add an account, or leave `accounts` out to use QODER_PAT"
    yield from _duplicates(
        ((("accounts", i, "name"), account.name) for i, account in enumerate(accounts)), "account name"
    )
    for i, account in enumerate(accounts):
        yield from (((("accounts", i, *path), message) for path, message in _account(account, environ)))
        if account.environments is not None and document.has(("accounts", i, "discovery")):
            yield ("accounts", i, "discovery"), "has no effect where `environments` are listed; remove one of the two"


def _account(account: Account, environ: Mapping[str, str]) -> Iterator[Finding]:
    """What is wrong with one account; paths are relative to it."""
    if not account.name.strip():
        yield ("name",), "the name is empty"
    if not _is_text(account.name):
        yield ("name",), NO_TEXT
    yield from check_token(account, environ)
    for message in check_base_url(account.base_url, allow_plain_http=account.allow_plain_http):
        yield ("base_url",), message
    yield from _above_zero(account, "request_timeout")
    yield from ((("discovery", *path), message) for path, message in _discovery(account.discovery))


def _discovery(discovery: Discovery) -> Iterator[Finding]:
    yield from _above_zero(discovery, "refresh_interval")
    if not discovery.include:
        yield ("include",), "the list is empty, so that nothing would be watched; leave it out to include everything"
    for key in ("include", "exclude"):
        for i, pattern in enumerate(getattr(discovery, key)):
            try:
                Pattern(pattern)
            except PatternError as error:
                yield (key, i), f"`{pattern}` is not a regular expression: {error}"


def _environments(accounts: Sequence[Account]) -> Iterator[Finding]:
    listed: list[tuple[KeyPath, Environment]] = []
    for i, account in enumerate(accounts):
        if account.environments is not None and not account.environments:
            yield (
                ("accounts", i, "environments"),
                "the list is empty; add an environment, or leave it out to discover them",
            )
        listed += [(("accounts", i, "environments", j), found) for j, found in enumerate(account.environments or ())]
    for path, environment in listed:
        if not _IDENTIFIER.fullmatch(environment.id):
            yield (*path, "id"), "not an environment ID; it looks like env_019e64e01a137caf953ac2ac7b42ec5c"
        if environment.name is not None and not environment.name.strip():
            yield (*path, "name"), "the name is empty; leave it out to use the API's name"
        if environment.name is not None and not _is_text(environment.name):
            yield (*path, "name"), NO_TEXT
    for base_url in dict.fromkeys(account.base_url for account in accounts):
        of_one_api = [(path, found) for path, found in listed if accounts[cast("int", path[1])].base_url == base_url]
        yield from _duplicates((((*path, "id"), found.id) for path, found in of_one_api), "environment ID")


def _scrape(scrape: Scrape) -> Iterator[Finding]:
    found = [*_above_zero(scrape, "timeout"), *_above_zero(scrape, "max_staleness")]
    yield from ((("scrape", *path), message) for path, message in found)
    if scrape.timeout_offset >= scrape.timeout > 0:
        yield (
            ("scrape", "timeout_offset"),
            f"{scrape.timeout_offset} leaves nothing of the timeout of {scrape.timeout}; make it smaller",
        )
    if scrape.min_interval > scrape.max_staleness > 0:
        yield (
            ("scrape", "min_interval"),
            f"{scrape.min_interval} is more than the max_staleness of {scrape.max_staleness}, so that "
            "snapshots would be withheld before they are renewed; make it smaller",
        )


def _history(history: History) -> Iterator[Finding]:
    if history.lookback is not None:
        yield from ((("history", *path), message) for path, message in _above_zero(history, "lookback"))
    if history.checkpoint is not None:
        yield from ((("history", "checkpoint"), message) for message in _checkpoint(history.checkpoint))


def _checkpoint(file: Path) -> Iterator[str]:
    """A checkpoint is replaced as a whole, so that its directory must be writable."""
    try:
        found = _kind(file)
        if found == "directory":
            yield f"{file} is a directory; give the path of a file"
        elif found not in ("file", None):
            yield f"{file} is a {found}; give the path of a regular file"
        elif _kind(file.parent) != "directory":
            yield f"the directory {file.parent} does not exist; create it"
        elif not os.access(file.parent, os.W_OK | os.X_OK):
            yield f"this user cannot write to the directory {file.parent}"
        elif found is not None and not os.access(file, os.R_OK):
            yield f"this user cannot read {file}"
        elif found is not None and _is_mount_point(file):
            yield f"{file} is mounted as a single file and cannot be replaced; mount its directory instead"
        elif len(os.fsencode(file.name)) > os.pathconf(file.parent, "PC_NAME_MAX") - TEMPORARY_SUFFIX:
            yield f"the name {file.name} is too long for a file that is replaced through a temporary one"
    except OSError as error:
        yield f"cannot use {file}: {error.strerror}"
    except ValueError:
        yield "the path has a NUL character, or one that no encoding has"


TEMPORARY_SUFFIX = len(".") + len(".set-aside-1800000000")
"""What is added to the checkpoint's name, at the most, for the files beside it."""


def _kind(file: Path) -> str | None:
    """What there is at a path, or None if there is nothing."""
    try:
        mode = file.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(mode), "device")


def _is_mount_point(file: Path) -> bool:
    """Whether something is mounted on a file alone, as far as this system tells."""
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return False
    escaped = os.fsencode(file.resolve())
    for character in b"\\ \t\n":
        escaped = escaped.replace(bytes([character]), b"\\%03o" % character)
    return any(line.split(b" ")[4] == escaped for line in mounts)


def _metrics(metrics: Metrics) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for i, key in enumerate(metrics.metadata_labels):
        path: KeyPath = ("metrics", "metadata_labels", i)
        name = label_name(key)
        if not key:
            yield path, "the metadata key is empty"
        elif name in RESERVED:
            yield path, f"`{key}` would become the label {name}, which qoder_work_items already has; leave it out"
        elif name.startswith("__"):
            yield (
                path,
                f"`{key}` would become the label {name}, and Prometheus keeps names with __ for itself; leave it out",
            )
        elif name in first:
            yield path, f"`{key}` would become the label {name}, as `{first[name]}` does; keep one of them"
        first.setdefault(name, key)
    for name in metrics.histograms.__struct_fields__:
        yield from _buckets(("metrics", "histograms", name), getattr(metrics.histograms, name))


def _buckets(path: KeyPath, chosen: Buckets) -> Iterator[Finding]:
    if isinstance(chosen, bool):
        return
    counted = ", ".join(str(Duration(bound)) for bound in SECONDS_TO_A_WEEK)
    for i, bound in enumerate(chosen):
        if bound not in SECONDS_TO_A_WEEK:
            yield (*path, i), f"{bound} is not the bound of a bucket; choose from {counted}"
    yield from _duplicates((((*path, i), str(bound)) for i, bound in enumerate(chosen)), "bound")


def _links(links: Links) -> Iterator[Finding]:
    if links.session is None:
        return
    path: KeyPath = ("links", "session")
    try:
        parts = urlsplit(links.session.replace(SESSION_ID, "id"))
    except ValueError as error:
        yield path, f"not a valid URL: {error}"
        return
    if any(character.isspace() or not character.isprintable() for character in links.session):
        yield path, "a URL has no blanks and no control characters"
    elif parts.scheme not in {"http", "https"} or not parts.hostname:
        yield path, "not the http(s) address of a session; give one such as https://example.com/sessions/{session_id}"
    elif "@" in parts.netloc:
        yield path, "the URL must not hold a user name or a password: it is shown to everybody"
    elif SESSION_ID not in links.session:
        yield path, f"the URL has no {SESSION_ID}, so that every link would lead to the same page"


def _above_zero(section: object, key: str) -> Iterator[Finding]:
    if not getattr(section, key) > 0:
        yield (key,), "must be more than 0"


def _duplicates(values: Iterator[tuple[KeyPath, str]], kind: str) -> Iterator[Finding]:
    first: dict[str, KeyPath] = {}
    for path, value in values:
        if value in first:
            yield path, f"the {kind} `{value}` is already used at {show(first[value])}; each must be there only once"
        first.setdefault(value, path)
