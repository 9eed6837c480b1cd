"""The flags: named by the convention of Prometheus exporters, accepted before and after the subcommand."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from exporter import logs
from exporter.web.app import check_telemetry_path
from exporter.web.listen import Address

Command = Callable[..., None]


class AddressType(click.ParamType[Address]):
    """An address to listen on."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Read the address, or refuse it with a usage error."""
        if isinstance(value, Address):
            return value
        try:
            return Address.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class TelemetryPathType(click.ParamType[str]):
    """A path of the server."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the path, or refuse it with a usage error."""
        try:
            return check_telemetry_path(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def flag(name: str, **details: Any) -> Callable[[Command], Command]:
    """A flag with its environment variable: ``--web.listen-address`` and ``QODER_EXPORTER_WEB_LISTEN_ADDRESS``."""
    parameter = name.replace(".", "_").replace("-", "_")
    variable = f"QODER_EXPORTER_{parameter.upper()}"
    return click.option(f"--{name}", parameter, envvar=variable, show_envvar=True, **details)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The values of the flags that several commands share.

    Attributes:
        config_file: The configuration file, or None.
        web_listen_address: Where to serve.
        web_telemetry_path: The path of the metrics.
        web_config_file: The web configuration file, or None.
        log_level: The least level of log lines shown.
        log_format: How log lines are written.
        chosen: The names of those that the user gave.
    """

    config_file: Path | None = None
    web_listen_address: tuple[Address, ...] = (Address("", 10190),)
    web_telemetry_path: str = "/metrics"
    web_config_file: Path | None = None
    log_level: str = "info"
    log_format: str = "logfmt"
    chosen: frozenset[str] = frozenset()


_DEFAULTS = Flags()
_OPTIONS = {
    "config_file": flag(
        "config.file",
        type=click.Path(path_type=Path),
        help="The configuration file. Without one, QODER_PAT holds the token and all environments are watched.",
    ),
    "web_listen_address": flag(
        "web.listen-address",
        type=AddressType(),
        default=_DEFAULTS.web_listen_address,
        multiple=True,
        show_default=True,
        help="Address to listen on, host:port; without a host, all interfaces. May be repeated.",
    ),
    "web_telemetry_path": flag(
        "web.telemetry-path",
        type=TelemetryPathType(),
        default=_DEFAULTS.web_telemetry_path,
        show_default=True,
        help="Path under which to expose metrics.",
    ),
    "web_config_file": flag(
        "web.config.file",
        type=click.Path(path_type=Path),
        help="The web configuration file: TLS, passwords, headers, a rate limit. The format is the exporter-toolkit's.",
    ),
    "log_level": flag(
        "log.level",
        type=click.Choice(list(logs.LEVELS), case_sensitive=False),
        default=_DEFAULTS.log_level,
        show_default=True,
        help="Only log messages with this severity or above.",
    ),
    "log_format": flag(
        "log.format",
        type=click.Choice(logs.FORMATS, case_sensitive=False),
        default=_DEFAULTS.log_format,
        show_default=True,
        help="Output format of log messages, on standard error.",
    ),
}
WEB = ("web_listen_address", "web_telemetry_path")
LOG = ("log_level", "log_format")


def takes(*names: str) -> Callable[[Command], Command]:
    """Let a command take these shared flags; their values come as its argument ``flags``, a `Flags`.

    A flag given after the subcommand wins over the same before it, and both over its environment variable.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_flags(**arguments: Any) -> None:
            for name in names:
                del arguments[name]
            command(flags=_values(click.get_current_context(), names), **arguments)

        result: Command = with_flags
        for name in reversed(names):
            result = _OPTIONS[name](result)
        return result

    return decorate


def _values(context: click.Context, names: Iterable[str]) -> Flags:
    sources = {name: _source(context, name) for name in names}
    values: dict[str, Any] = {name: source.params[name] for name, source in sources.items() if source is not None}
    return Flags(**values, chosen=frozenset(values))


def _source(context: click.Context, name: str) -> click.Context | None:
    """The context in which the user gave a flag: its own or the group's, a flag before an environment variable."""
    contexts = [context] if context.parent is None else [context, context.parent]
    for source in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT):
        for candidate in contexts:
            if candidate.get_parameter_source(name) is source:
                return candidate
    return None
