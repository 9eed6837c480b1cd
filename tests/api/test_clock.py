"""The API's clock, as far as a header with whole seconds can tell it."""

import math
import time
from collections.abc import Iterator
from email.utils import formatdate

import httpx
import pytest
import respx
from hypothesis import assume, example, given
from hypothesis import strategies as st

from exporter.api import errors
from exporter.api.clock import APPLIED_FROM, CONFIRMATIONS, RESOLUTION, SURPRISING, APIClock, http_date
from exporter.simulator import DEFAULT_TOKEN, RealClock, Simulation, SimulatorServer
from tests.api.harness import BASE_URL, GivenToken, at_once, client

NOW = 1_782_892_800.0
"""2026-07-01T08:00:00Z."""


class Told:
    """A clock that is told the time of an API with this skew, and the local clock it is compared with.

    Attributes:
        skew: Seconds by which the API's clock is ahead of real time.
        local: Real time.
        ahead: Seconds by which this machine's clock is ahead of real time.
    """

    def __init__(self, skew: float = 0.0) -> None:
        self.local = NOW
        self.skew = skew
        self.ahead = 0.0
        self.clock = APIClock(lambda: self.local + self.ahead, lambda: self.local)

    def answer(self, *, there: float = 0.0, back: float = 0.0, pause: float = 0.0) -> None:
        """Answers at one time: so many seconds until their date is written, and from there until they are here."""
        sent_at = self.local + pause
        written_at = sent_at + there
        self.local = written_at + back
        for _ in range(CONFIRMATIONS):
            self.observe(written_at + self.skew, sent_at)

    def observe(self, written_at: float, sent_at: float | None = None) -> None:
        """One answer with this date."""
        date = formatdate(math.floor(written_at), usegmt=True)
        self.clock.observe(date, self.local if sent_at is None else sent_at, self.local)

    @property
    def estimate(self) -> float:
        assert self.clock.skew is not None
        return self.clock.skew


SECONDS = st.floats(0, 20)
SKEWS = st.one_of(st.floats(-1e6, 1e6), st.floats(-3, 3))
ANSWERS = st.lists(st.tuples(SECONDS, SECONDS, SECONDS), min_size=1, max_size=12)


@pytest.fixture
def _far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose local time is not UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_nothing_is_known_before_the_first_answer() -> None:
    clock = APIClock(lambda: NOW, lambda: NOW)
    assert clock.skew is None
    assert clock.now() == NOW


@pytest.mark.parametrize(
    "date",
    [
        None,
        "",
        "soon",
        "9" * 400,
        "Wed, 01 Jul 999999999999 08:00:00 GMT",
        "1 Jan",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Sat, 01 Jan 0001 00:00:00 GMT",
    ],
)
def test_an_answer_without_a_date_teaches_nothing(date: str | None) -> None:
    clock = APIClock(lambda: NOW, lambda: NOW)
    clock.observe(date, NOW, NOW)
    assert clock.skew is None


@given(SKEWS, ANSWERS)
@example(0.0, [(0.0, 10.0, 0.0)])
def test_the_skew_is_known_as_well_as_the_quickest_answer_allows(
    skew: float, answers: list[tuple[float, float, float]]
) -> None:
    told = Told(skew)
    for there, back, pause in answers:
        told.answer(there=there, back=back, pause=pause)
    quickest = min(there + back for there, back, _ in answers)
    assert abs(told.estimate - skew) <= RESOLUTION + quickest + 1e-3


@given(st.floats(-1e4, 1e4), st.lists(st.floats(0, 1, exclude_max=True), min_size=40, max_size=80, unique=True))
def test_many_quick_answers_know_the_skew_within_the_headers_resolution(skew: float, pauses: list[float]) -> None:
    told = Told(skew)
    for pause in pauses:
        told.answer(there=0.01, back=0.01, pause=pause)
    assert abs(told.estimate - skew) <= RESOLUTION + 0.02 + 1e-3


def test_answers_at_any_moment_of_a_second_know_it_better_than_that() -> None:
    told = Told(30.4)
    for _ in range(100):
        told.answer(there=0.005, back=0.005, pause=0.0537)
    assert told.estimate == pytest.approx(30.4, abs=0.06)


@given(st.floats(-1.4, 1.4), ANSWERS)
def test_a_small_skew_is_not_applied(skew: float, answers: list[tuple[float, float, float]]) -> None:
    told = Told(skew)
    told.answer(there=0.01, back=0.01)
    for there, back, pause in answers:
        told.answer(there=there, back=back, pause=pause)
    assert told.clock.now() == told.local


@given(SECONDS, SECONDS)
def test_slow_answers_make_no_skew_where_there_is_none(there: float, back: float) -> None:
    told = Told(0.0)
    told.answer(there=there, back=back)
    assert told.clock.now() == told.local


@given(SKEWS)
def test_a_large_skew_is_applied_as_it_is_estimated(skew: float) -> None:
    assume(abs(skew) >= APPLIED_FROM + RESOLUTION)
    told = Told(skew)
    told.answer(there=0.01, back=0.01)
    assert told.clock.now() == told.local + told.estimate
    assert abs(told.clock.now() - (told.local + skew)) <= RESOLUTION + 0.021


@pytest.mark.parametrize(("skew", "applied"), [(1.9, False), (2.6, True), (-1.6, False), (-2.6, True)])
def test_it_is_applied_from_two_seconds_on(skew: float, applied: bool) -> None:
    told = Told(skew)
    told.local = NOW + 0.5 - skew % 1  # the API's clock is in the middle of a second: the estimate is the skew itself
    told.answer()
    assert told.estimate == pytest.approx(skew, abs=1e-6)
    assert (told.clock.now() != told.local) is applied


@given(st.floats(5, 1e6), st.booleans(), ANSWERS)
def test_a_clock_that_is_set_is_noticed_when_answers_agree(
    jump: float, back: bool, answers: list[tuple[float, float, float]]
) -> None:
    told = Told(0.0)
    for there, after, pause in answers:
        told.answer(there=there / 100, back=after / 100, pause=pause)
    told.skew = -jump if back else jump
    told.answer(there=0.01, back=0.01)
    assert abs(told.estimate - told.skew) <= RESOLUTION + 0.021


@given(st.lists(st.floats(-1e8, 1e8).filter(lambda off: abs(off) > 5), max_size=20), st.booleans())
def test_outliers_among_good_answers_move_nothing(offs: list[float], first: bool) -> None:
    told = Told(0.0)
    if not first:
        told.observe(NOW)
    for off in offs:
        if not first or abs(off) > SURPRISING + 5:
            told.observe(NOW + off)
        told.observe(NOW)
    assert told.clock.now() == told.local


def test_a_first_answer_that_is_hours_off_is_believed_when_it_repeats() -> None:
    told = Told()
    for number in range(CONFIRMATIONS):
        assert told.clock.skew is None, number
        told.observe(NOW + 86_400)
    assert told.estimate == pytest.approx(86_400, abs=RESOLUTION)


def test_a_first_answer_that_is_minutes_off_is_believed_at_once() -> None:
    told = Told()
    told.observe(NOW + 600)
    assert told.estimate == pytest.approx(600, abs=RESOLUTION)


def test_outliers_that_disagree_confirm_nothing() -> None:
    told = Told()
    told.observe(NOW)
    for number in range(20):
        told.observe(NOW + 100 * (1 + number))
    assert told.estimate == 0


@given(SKEWS, st.one_of(st.floats(-1e9, 1e9), st.floats(-3, 3)))
def test_setting_this_machines_clock_moves_the_apis_only_within_the_headers_resolution(
    skew: float, set_by: float
) -> None:
    told = Told(skew)
    told.answer(there=0.01, back=0.01)
    told.ahead = set_by
    assert abs(told.clock.now() - (told.local + skew)) <= APPLIED_FROM + RESOLUTION + 0.021
    assert abs(told.estimate - (skew - set_by)) <= RESOLUTION + 0.021
    if abs(skew - set_by) >= APPLIED_FROM + RESOLUTION:
        assert abs(told.clock.now() - (told.local + skew)) <= RESOLUTION + 0.021
    assert not told.clock.in_doubt


def test_an_answer_that_contradicts_puts_the_clock_in_doubt_until_the_next_ones_decide() -> None:
    told = Told()
    told.observe(NOW)
    for off in (600, 0, 600, 600):
        told.observe(NOW + off)
        assert told.clock.in_doubt is (off != 0)
    told.observe(NOW + 600)
    assert not told.clock.in_doubt
    assert told.estimate == pytest.approx(600, abs=RESOLUTION)


@pytest.mark.parametrize(
    "text",
    [
        "Wed, 01 Jul 2026 08:00:00 GMT",
        "Wednesday, 01-Jul-26 08:00:00 GMT",
        "Wed Jul  1 08:00:00 2026",
        "Wed, 01 Jul 2026 08:00:00",
        "Wed, 01 Jul 2026 08:00:00 -0000",
        "Wed, 01 Jul 2026 10:30:00 +0230",
        "01 Jul 2026 08:00:00 GMT",
    ],
)
@pytest.mark.usefixtures("_far_from_greenwich")
def test_every_way_to_write_a_date_is_read(text: str) -> None:
    assert http_date(text) == NOW


@given(st.one_of(st.text(), st.from_regex(r"\A(\w{3}, )?\d{1,9} (Jan|Feb) \d{1,12} \d\d:\d\d ?[+-]?\d{0,20}\Z")))
def test_any_text_is_a_date_or_none(text: str) -> None:
    date = http_date(text)
    assert date is None or math.isfinite(date)


@pytest.mark.parametrize("skew", [-300.0, 0.0, 86_400.0])
async def test_a_real_servers_clock_is_known(skew: float) -> None:
    simulation = Simulation(clock=RealClock(offset=skew))
    environment_id = simulation.create_environment("gpu-workers")
    async with SimulatorServer(simulation) as server, client(server.base_url, token=GivenToken(DEFAULT_TOKEN)) as api:
        for _ in range(CONFIRMATIONS - 1):
            await api.stats(environment_id, deadline=at_once())
        before = simulation.clock.now()
        answer = await api.stats(environment_id, deadline=at_once())
        after = simulation.clock.now()
    assert api.clock.skew is not None
    assert abs(api.clock.skew - skew) <= RESOLUTION + after - before
    assert before - RESOLUTION <= answer.read_at <= after + RESOLUTION


async def test_an_answer_is_read_on_the_clock_of_the_api(respx_mock: respx.MockRouter) -> None:
    headers = {"Date": formatdate(NOW + 600, usegmt=True)}
    respx_mock.get(f"{BASE_URL}/environments").mock(
        return_value=httpx.Response(200, json={"data": []}, headers=headers)
    )
    async with client(now=lambda: NOW) as api:
        answer = await api.environments(deadline=at_once())
    assert answer.read_at == pytest.approx(NOW + 600, abs=RESOLUTION)


async def test_a_refusal_tells_the_time_too(respx_mock: respx.MockRouter) -> None:
    headers = {"Date": formatdate(NOW - 60, usegmt=True)}
    respx_mock.get(f"{BASE_URL}/environments").mock(return_value=httpx.Response(404, headers=headers))
    async with client(now=lambda: NOW) as api:
        with pytest.raises(errors.NotFound):
            await api.environments(deadline=at_once())
    assert api.clock.skew == pytest.approx(-60, abs=RESOLUTION)
