"""Sending again: after which failures, how often, how late, and never past the deadline."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import formatdate

import httpx
import pytest
import respx
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.api import errors
from exporter.api.client import WorkAPI
from exporter.api.retry import ATTEMPTS, MAX_RETRY_AFTER, retry_after
from exporter.simulator import DEFAULT_TOKEN, Reset, Simulation, SimulatorServer, Status, Truncate
from exporter.simulator.faults import AnyFault
from tests.api.harness import BASE_URL, ENVIRONMENT, GivenToken, client, within
from tests.api.play import START, play
from tests.support.randomness import FACTOR

STATS = f"{BASE_URL}/environments/{ENVIRONMENT}/work/stats"
GOOD = httpx.Response(200, json={"depth": 3})
NOW = 1_782_892_800.0
"""2026-07-01T08:00:00Z, where the API's clock and this machine's stand still."""

Answer = httpx.Response | Exception


@dataclass
class Called:
    """A call on a clock that jumps.

    Attributes:
        depth: What it gave, if it succeeded.
        error: What it raised, if it failed.
        at: When each attempt was made, in seconds since the call.
        retries: What was counted, by reason.
        took: Seconds until it was done.
    """

    depth: int | None = None
    error: errors.APIError | None = None
    at: list[float] = field(default_factory=list)
    retries: dict[str, int] = field(default_factory=dict)
    took: float = 0.0

    @property
    def waits(self) -> list[float]:
        """The time between one attempt and the next."""
        return [later - earlier for earlier, later in zip(self.at, self.at[1:], strict=False)]


def call(answers: Iterable[Answer], *, patience: float = 3600.0) -> Called:
    """Ask for the statistics, answered like this and then well, with so many seconds until the deadline."""
    script = iter(answers)
    called = Called()

    def answer(_: httpx.Request) -> httpx.Response:
        called.at.append(time.monotonic() - START)
        match next(script, GOOD):
            case httpx.Response() as response:
                return response
            case error:
                raise error

    async def ask() -> None:
        async with client(now=lambda: NOW) as api:
            try:
                called.depth = (await api.stats(ENVIRONMENT, deadline=within(patience))).value.depth
            except errors.APIError as error:
                called.error = error
            called.retries = dict(api.counts.retries)
            called.took = time.monotonic() - START
            assert api.counts.total == len(called.at)

    with respx.mock:
        respx.get(STATS).mock(side_effect=answer)
        play(ask())
    return called


def status(code: int, retry_after: str | None = None, **headers: str) -> httpx.Response:
    return httpx.Response(code, headers=headers if retry_after is None else {"Retry-After": retry_after, **headers})


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (status(408), "timeout"),
        (status(429), "rate_limited"),
        (status(500), "server"),
        (status(502), "server"),
        (status(503), "server"),
        (status(504), "server"),
        (status(529), "server"),
        (httpx.ConnectError("refused"), "network"),
        (httpx.ReadError("reset"), "network"),
        (httpx.RemoteProtocolError("cut off"), "network"),
        (httpx.ConnectTimeout("late"), "timeout"),
        (httpx.ReadTimeout("late"), "timeout"),
        (httpx.PoolTimeout("late"), "timeout"),
    ],
)
def test_a_transient_error_is_tried_again_and_counted_by_its_reason(failure: Answer, reason: str) -> None:
    called = call([failure])
    assert called.depth == 3
    assert len(called.at) == 2
    assert called.retries == {reason: 1}


@pytest.mark.parametrize("code", [204, 302, 400, 401, 403, 404, 409, 418])
def test_a_final_failure_is_not_tried_again(code: int) -> None:
    called = call([status(code, "1")])
    assert called.error is not None
    assert called.error.status == code
    assert (len(called.at), called.retries, called.took) == (1, {}, 0)


def test_the_last_of_four_attempts_is_the_failure() -> None:
    called = call([status(503), status(429), httpx.ReadError("reset"), status(500), status(502)])
    assert called.error is not None
    assert called.error.status == 500
    assert len(called.at) == ATTEMPTS == 4
    assert called.retries == {"server": 1, "rate_limited": 1, "network": 1}


def test_each_wait_is_random_within_twice_the_former_bound() -> None:
    runs = [call([status(503)] * 3).waits for _ in range(12)]
    for waits in runs:
        assert all(0.2 <= wait <= bound for wait, bound in zip(waits, (0.5, 1, 2), strict=True))
    assert all(len({round(wait, 6) for wait in attempt}) > 8 for attempt in zip(*runs, strict=True))


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        ("7", 7.0),
        ("0007", 7.0),
        ("Wed, 01 Jul 2026 08:00:30 GMT", 30.0),
        ("Wednesday, 01-Jul-26 08:00:30 GMT", 30.0),
        ("Wed Jul  1 08:00:30 2026", 30.0),
        ("Wed, 01 Jul 2026 10:00:30 +0200", 30.0),
    ],
)
def test_it_waits_as_long_as_the_api_asks(asked: str, wait: float) -> None:
    assert call([status(429, asked)]).waits == [pytest.approx(wait)]


@pytest.mark.parametrize(
    "asked", ["0", "Wed, 01 Jul 2026 07:00:00 GMT", "-5", "1.5", "soon", "", "9, 10", "7s", "٣", "1e3", "²"]
)
def test_what_asks_for_no_wait_leaves_the_usual_one(asked: str) -> None:
    (wait,) = call([httpx.Response(503, headers=[(b"Retry-After", asked.encode())])]).waits
    assert 0.2 <= wait <= 0.5


def test_a_date_is_compared_with_the_clock_of_the_api() -> None:
    dates = {"Date": formatdate(NOW + 600, usegmt=True), "Retry-After": formatdate(NOW + 630, usegmt=True)}
    (wait,) = call([httpx.Response(503, headers=dates)]).waits
    assert wait == pytest.approx(30, abs=1)


@pytest.mark.parametrize("asked", ["61", "9" * 400, "9" * 5000, "Wed, 01 Jul 2026 08:01:01 GMT"])
def test_a_wait_past_the_deadline_is_not_begun(asked: str) -> None:
    called = call([status(503, asked)], patience=60)
    assert called.error is not None
    assert called.error.status == 503
    assert (len(called.at), called.retries, called.took) == (1, {}, 0)


def test_a_wait_until_the_deadline_is_worth_it() -> None:
    called = call([status(503, "59")], patience=60)
    assert called.depth == 3
    assert called.waits == [pytest.approx(59)]


def test_a_deadline_that_has_passed_leaves_one_attempt() -> None:
    called = call([status(503)], patience=-10)
    assert called.error is not None
    assert len(called.at) == 1


@settings(max_examples=40 * FACTOR)
@given(st.lists(st.sampled_from([408, 429, 500, 503]), max_size=6), st.floats(0, 30), st.integers(0, 10))
def test_no_attempt_is_ever_begun_past_the_deadline(codes: list[int], patience: float, wait: int) -> None:
    called = call([status(code, str(wait)) for code in codes], patience=patience)
    assert 1 <= len(called.at) <= ATTEMPTS
    assert called.at[-1] <= patience
    assert sum(called.retries.values()) == len(called.at) - 1
    assert (called.depth == 3) is (len(called.at) > len(codes))


def test_while_one_call_waits_another_has_its_slot() -> None:
    async def both() -> list[str]:
        order: list[str] = []

        async def ask(api: WorkAPI, environment_id: str) -> None:
            await api.stats(environment_id, deadline=within(3600))
            order.append(environment_id)

        async with client(max_concurrency=1) as api:
            await asyncio.gather(ask(api, "env_throttled"), ask(api, "env_well"))
        return order

    with respx.mock:
        failing = [status(503, "60"), GOOD]
        respx.get(f"{BASE_URL}/environments/env_throttled/work/stats").mock(side_effect=failing)
        respx.get(f"{BASE_URL}/environments/env_well/work/stats").mock(return_value=GOOD)
        assert play(both()) == ["env_well", "env_throttled"]


def after(first: httpx.Response, asked: str, *, at: float, patience: float) -> tuple[object, int, float]:
    """Ask env_a, answered like this; later ask an environment again: outcome, requests it took, seconds it took."""

    async def ask() -> tuple[object, int, float]:
        async with client(now=lambda: NOW) as api:
            with pytest.raises(errors.APIError):
                await api.stats("env_a", deadline=time.monotonic())
            await asyncio.sleep(at)
            before, begun = api.counts.total, time.monotonic()
            try:
                outcome: object = (await api.stats(asked, deadline=within(patience))).value.depth
            except errors.APIError as error:
                outcome = f"{error.reason}: {error}"
            return outcome, api.counts.total - before, round(time.monotonic() - begun, 6)

    answers = iter([first])
    with respx.mock:
        respx.get(url__startswith=BASE_URL).mock(side_effect=lambda _: next(answers, GOOD))
        return play(ask())


@pytest.mark.parametrize("asked", ["env_a", "env_b"])
def test_while_the_account_is_to_wait_nothing_is_sent(asked: str) -> None:
    """Between scrapes, too: told to wait 120 s, the exporter sent two requests each."""
    words = "the API asked to wait, for 105 s more: nothing was sent"
    outcome, requests, took = after(status(429, "120"), asked, at=15, patience=10)
    assert (outcome, requests, took) == (f"rate_limited: stats: {words}", 0, 0)


def test_a_call_with_time_enough_waits_until_it_may() -> None:
    outcome, requests, took = after(status(429, "120"), "env_b", at=100, patience=60)
    assert (outcome, requests, took) == (3, 1, 20.0)


def test_what_the_api_asks_of_one_environment_is_nothing_to_its_neighbours() -> None:
    assert after(status(503, "120"), "env_b", at=1, patience=10) == (3, 1, 0)
    outcome, requests, _ = after(status(503, "120"), "env_a", at=1, patience=10)
    assert (outcome, requests) == ("server: stats: the API asked to wait, for 119 s more: nothing was sent", 0)


@pytest.mark.parametrize("asked", ["1000000000", "9" * 4000, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_an_absurd_wait_is_capped(asked: str) -> None:
    outcome, requests, took = after(status(429, asked), "env_a", at=MAX_RETRY_AFTER - 5, patience=10)
    assert (outcome, requests, took) == (3, 1, 5.0)


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_a_final_failure_asks_for_no_wait(code: int) -> None:
    assert after(status(code, "120"), "env_a", at=1, patience=10) == (3, 1, 0)


@given(st.one_of(st.text(), st.from_regex(r"\A[0-9A-Za-z ,:+-]{0,40}\Z"), st.datetimes().map(lambda d: d.ctime())))
def test_any_retry_after_is_a_wait_or_nothing(header: str) -> None:
    seconds = retry_after(header, NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(Status(status=503, body=False, count=1), "server"), (Reset(count=1), "network"), (Truncate(count=1), "network")],
)
async def test_a_real_server_that_fails_once_is_asked_again(fault: AnyFault, reason: str) -> None:
    simulation = Simulation()
    environment_id = simulation.create_environment("gpu-workers")
    simulation.faults.add(fault)
    async with SimulatorServer(simulation) as server, client(server.base_url, token=GivenToken(DEFAULT_TOKEN)) as api:
        assert (await api.stats(environment_id, deadline=within(60))).value.depth == 0
    assert api.counts.retries == {reason: 1}
    assert simulation.traffic.requests("stats") == 2
