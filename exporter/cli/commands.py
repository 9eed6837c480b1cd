"""The commands, and how each ends."""

import asyncio
import io
import platform
import socket
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import structlog

from exporter import __version__, logs
from exporter.api.variables import VariableError
from exporter.cli import wiring
from exporter.cli.collection import collect_once, failures, notices
from exporter.cli.failure import Failure, one_line
from exporter.cli.flags import LOG, WEB, Flags, flag, takes
from exporter.cli.healthcheck import healthcheck
from exporter.cli.inspect import inspect
from exporter.cli.memory import return_large_blocks
from exporter.cli.mixin import mixin
from exporter.cli.reloading import Reloadable
from exporter.cli.serving import serve
from exporter.cli.simulation import Stage, demonstrate, takes_stage
from exporter.cli.simulation import simulate as run_simulation
from exporter.cli.threads import DaemonExecutor
from exporter.cli.web import load_security, watch_security
from exporter.config import Account, Config, ConfigError, load, overlaps
from exporter.metrics.exposition import encode
from exporter.metrics.samples import Shape
from exporter.revision import revision
from exporter.tracking.view import FleetView
from exporter.web.listen import Address, ListenError, listen
from exporter.web.security import Watched

NAME = "qoder-work-exporter"

T = TypeVar("T")

log = structlog.get_logger()


@click.group(
    NAME,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every flag may stand before or after the command.",
)
@takes("config_file", *WEB, "web_config_file", *LOG)
@flag("config.check", is_flag=True, help="Check the configuration and exit, as the command check does.")
@click.version_option(__version__, prog_name=NAME, message=f"%(prog)s %(version)s (revision {revision()})")
@click.pass_context
def main(context: click.Context, flags: Flags, config_check: bool) -> None:
    """Export the work queues of Qoder Cloud Agents' self-hosted environments to Prometheus.

    Without a command it serves the metrics until SIGTERM or SIGINT. A token is all it needs; it watches every
    self-hosted environment of the token's account:

    \b
      QODER_PAT=pt-... qoder-work-exporter

    \b
    Examples:
      qoder-work-exporter demo                             try it without an account
      qoder-work-exporter --config.file=config.yaml        several accounts, selected environments
      qoder-work-exporter check --config.file=config.yaml
      qoder-work-exporter once | grep ^qoder_work_items    one collection, no server
      qoder-work-exporter inspect --url http://localhost:10190         which items are stuck

    \b
    Environment variables, besides the one of each flag:
      QODER_PAT        the token, if no configuration file says where it is
      QODER_BASE_URL   the API's address, if the configuration gives none;
                       for China https://api.qoder.com.cn/api/v1/cloud
    """  # noqa: D301 - click knows a paragraph to keep as it is by this very character
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal has no letters for is no failure
    if config_check:
        if context.invoked_subcommand is not None:
            raise click.UsageError("--config.check takes no command: leave out the command, or use the command check")
        _check(flags)
    elif context.invoked_subcommand is None:
        logs.configure(flags.log_level, flags.log_format)
        _serve(flags)


main.add_command(healthcheck)
main.add_command(inspect)


@main.command()
@takes("config_file", "web_config_file")
def check(flags: Flags) -> None:
    """Check the configuration and the web configuration: exit 0, or 1 and one line per error.

    A line names the file, the line in it, the setting, what is wrong and how to fix it.
    """
    _check(flags)


@main.command()
@takes("config_file", *LOG)
def once(flags: Flags) -> None:
    """Collect once, completely, and print the metrics.

    However long the list of work is, it is read to its end. Exit 0 only if every environment succeeded; failures
    are named on standard error, and the metrics of the other environments are printed.
    """
    _configure_quiet_logs(flags)
    config = _load(flags.config_file)

    async def collect() -> FleetView:
        return await collect_once(wiring.make_fleet(config))

    view = _run(collect())
    shape = Shape(view.metadata_keys, wiring.histograms(config.metrics.histograms))
    click.echo(encode(view, None, wiring.loaded_now(), shape=shape)[0], nl=False)
    for notice in notices(view):
        click.echo(one_line(notice), err=True)
    if failed := list(failures(view)):
        raise Failure(failed)


@main.command()
@takes_stage("127.0.0.1:0")
@takes(*WEB, *LOG)
def demo(flags: Flags, stage: Stage) -> None:
    """Try it without an account, a token or a network.

    A simulated work API with workers, and the exporter on it, in one process. It prints the addresses.
    """
    _configure_quiet_logs(flags)
    sockets = _listen(flags.web_listen_address)
    _run(demonstrate(stage, sockets, flags.web_telemetry_path))


@main.command()
@takes_stage("127.0.0.1:10191")
@takes(*LOG)
def simulate(flags: Flags, stage: Stage) -> None:
    """Run the simulated work API alone, with its workers.

    It prints its address and a token, which opens nothing else.
    """
    _configure_quiet_logs(flags)
    _run(run_simulation(stage))


main.add_command(mixin)


def _configure_quiet_logs(flags: Flags) -> None:
    """Where a command's output is for a person or a pipe, only errors are logged unless the user asks for more."""
    logs.configure(flags.log_level if "log_level" in flags.chosen else "error", flags.log_format)


def _serve(flags: Flags) -> None:
    return_large_blocks()
    config = _load(flags.config_file)
    security = _load_web(flags.web_config_file)
    source = str(flags.config_file or "environment variables")
    log.info("starting", version=__version__, python=platform.python_version(), config=source)
    for account in config.accounts:
        log.info("account", name=account.name, base_url=account.base_url, environments=_environments(account))
    sockets = _listen(flags.web_listen_address)
    for sock in sockets:
        log.info("listening", address=str(Address(*sock.getsockname()[:2])), path=flags.web_telemetry_path)

    async def run() -> None:
        exporter = Reloadable(config, lambda: load(flags.config_file, again=True), flags.web_telemetry_path)
        await serve(exporter, sockets, security)

    _run(run())


def _check(flags: Flags) -> None:
    problems: list[object] = []
    for load_one in (lambda: load(flags.config_file), lambda: load_security(flags.web_config_file)):
        try:
            load_one()
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise Failure(problems)
    config = _load(flags.config_file)
    accounts = "; ".join(f"account {account.name}: {_environments(account)}" for account in config.accounts)
    click.echo(f"{flags.config_file or 'no configuration file'}: OK; {accounts}")
    if flags.web_config_file is not None:
        click.echo(f"{flags.web_config_file}: OK")
    for notice in overlaps(config):
        click.echo(f"note: {one_line(notice)}")


def _environments(account: Account) -> str:
    """Which environments an account watches, in words."""
    if account.environments is None:
        return f"discovered every {account.discovery.refresh_interval}"
    return f"{len(account.environments)} configured"


def _load(config_file: Path | None) -> Config:
    try:
        return load(config_file)
    except ConfigError as error:
        raise Failure(error.problems) from error


def _load_web(file: Path | None) -> Watched | None:
    try:
        return watch_security(file)
    except ConfigError as error:
        raise Failure(error.problems) from error


def _listen(addresses: Sequence[Address]) -> list[socket.socket]:
    try:
        return [listen(address) for address in addresses]
    except ListenError as error:
        raise Failure([error]) from error


def _run(program: Coroutine[Any, Any, T]) -> T:
    async def run() -> T:
        asyncio.get_running_loop().set_default_executor(DaemonExecutor())
        return await program

    try:
        return asyncio.run(run())
    except (ListenError, VariableError) as error:
        raise Failure([error]) from error
