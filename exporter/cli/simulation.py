"""The simulated API: alone, or with the exporter on it."""

import asyncio
import functools
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import click

from exporter import __version__
from exporter.cli import wiring
from exporter.cli.flags import AddressType, Command, flag
from exporter.cli.serving import on_signals, serve
from exporter.config import Account, Config
from exporter.simulator import BASE_PATH, DEFAULT_TOKEN, SCENARIOS, play, set_up
from exporter.tracking.fleet import Fleet
from exporter.web.app import Unchanging
from exporter.web.listen import Address, ListenError, explain, url


@dataclass(frozen=True, slots=True)
class Stage:
    """What is simulated, and where.

    Attributes:
        scenario: The name of a scenario.
        seed: Of all randomness.
        address: Where the simulated API listens.
    """

    scenario: str
    seed: int
    address: Address


def takes_stage(default_address: str) -> Callable[[Command], Command]:
    """Let a command take the flags of what is simulated; they come as its argument ``stage``, a `Stage`."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_stage(*, scenario: str, seed: int, simulator_listen_address: Address, **arguments: Any) -> None:
            command(stage=Stage(scenario, seed, simulator_listen_address), **arguments)

        result: Command = with_stage
        for option in reversed(
            (
                flag(
                    "scenario",
                    type=click.Choice(list(SCENARIOS)),
                    default="demo",
                    show_default=True,
                    help="The scenario: environments, traffic and workers.",
                ),
                flag("seed", type=int, default=0, show_default=True, help="Seed of the random number generator."),
                flag(
                    "simulator.listen-address",
                    type=AddressType(),
                    default=default_address,
                    show_default=True,
                    help="Address for the simulated API; port 0 picks a free one.",
                ),
            )
        ):
            result = option(result)
        return result

    return decorate


@dataclass(frozen=True, slots=True)
class SimulatedToken:
    """The token that the simulated API accepts, and no other API."""

    def read(self) -> str:
        """The token."""
        return DEFAULT_TOKEN


async def simulate(stage: Stage) -> None:
    """Run the simulated API until SIGTERM or SIGINT, and say how to use it.

    Raises:
        ListenError: Its address cannot be listened on.
    """
    async with _playing(stage) as base_url:
        click.echo(
            f"A simulated work API; scenario {stage.scenario}, seed {stage.seed}. Ctrl-C ends it.\n"
            f"\n"
            f"  base URL   {base_url}\n"
            f"  token      {DEFAULT_TOKEN}\n"
            f"\n"
            f"Try: QODER_PAT={DEFAULT_TOKEN} QODER_BASE_URL={base_url} qoder-work-exporter once"
        )
        stopped = asyncio.Event()
        with on_signals(stopped.set, signal.SIGTERM, signal.SIGINT):
            await stopped.wait()


async def demonstrate(stage: Stage, sockets: Sequence[socket.socket], telemetry_path: str) -> None:
    """Run the simulated API and the exporter on it until SIGTERM or SIGINT, and say where to look.

    Raises:
        ListenError: The simulated API's address cannot be listened on.
    """
    exporter = url(sockets[0])
    async with _playing(stage) as base_url:
        click.echo(
            f"qoder-work-exporter {__version__} on a simulated work API, without account, token or network. "
            f"Ctrl-C ends it.\n"
            f"\n"
            f"  metrics         {exporter}{telemetry_path}\n"
            f"  status page     {exporter}/\n"
            f"  simulated API   {base_url}\n"
            f"\n"
            f"Try: curl -s {exporter}{telemetry_path} | grep ^qoder_work_items"
        )
        config = Config(accounts=(Account(name="demo", base_url=base_url),))
        accounts = [wiring.account_settings(account, SimulatedToken()) for account in config.accounts]
        fleet = Fleet(accounts, wiring.tracking_settings(config))
        settings = wiring.web_settings(config, telemetry_path)
        await serve(Unchanging(fleet, settings, wiring.loaded_now()), sockets)


@asynccontextmanager
async def _playing(stage: Stage) -> AsyncIterator[str]:
    """The scenario, with its workers at work; gives the simulated API's address."""
    everywhere = not stage.address.host
    host = "0.0.0.0" if everywhere else stage.address.host  # noqa: S104 - whoever leaves out the host asks for it
    scenario = set_up(stage.scenario, seed=stage.seed)
    async with AsyncExitStack() as stack:
        try:
            server = await stack.enter_async_context(play(scenario, host, stage.address.port))
        except OSError as error:
            raise ListenError(f"cannot listen on {stage.address}: {explain(error)}") from error
        yield f"http://127.0.0.1:{server.port}{BASE_PATH}" if everywhere else server.base_url
