"""What happens to clocks in the model: the API's says absurd things or is set, and so is this machine's."""

from datetime import UTC, datetime
from email.utils import format_datetime

from hypothesis import strategies as st
from hypothesis.stateful import rule

from exporter.api.clock import APPLIED_FROM, CONFIRMATIONS, RESOLUTION
from exporter.tracking.ledger import LATE
from tests.tracking.machine import NO_DATES, Machine

HOUR, YEAR = 3600.0, 31_536_000.0


class ClockRules(Machine):
    """Clocks are wrong, and are set."""

    outliers = 0
    set_by = 0.0
    furthest = 0.0

    @rule(date=st.sampled_from(NO_DATES), skip=st.integers(0, 4), count=st.integers(1, 30))
    def the_apis_date_is_absurd(self, date: str, skip: int, count: int) -> None:
        self.watched.transport.dates = [None] * skip + [date] * count
        self.refreshes(self.settled)

    @rule(
        hours=st.one_of(st.floats(-300, -1.1), st.floats(1.1, 300)),
        skip=st.integers(0, 4),
        count=st.integers(1, CONFIRMATIONS - 1),
        restarted=st.booleans(),
    )
    def a_server_of_the_api_has_another_time(self, hours: float, skip: int, count: int, restarted: bool) -> None:
        """No two such servers agree: then it would be the API that has. Nor does one agree with a clock of ours."""
        if restarted and self.watched.ahead == 0:
            self.watched.restart()
        self.outliers += 1
        self.clocks = False
        moment = self.watched.clock.now() + hours * HOUR + self.outliers * 100
        date = format_datetime(datetime.fromtimestamp(moment, UTC), usegmt=True)
        self.watched.transport.dates = [None] * skip + [date] * count
        self.untold |= self.watched.api.clock.skew is None
        self.refreshes(self.settled)

    @rule(seconds=st.floats(-LATE + 50, 20_000))
    def the_apis_clock_is_set(self, seconds: float) -> None:
        """Not far back: then new IDs would come before old ones."""
        target = max(self.set_by + seconds, self.furthest - LATE + 50)
        self.watched.ahead -= target - self.set_by
        self.watched.clock.set(self.watched.clock.now() + target - self.set_by)
        self.set_by, self.furthest = target, max(self.furthest, target)
        self.clocks, self.untold = False, True

    @rule(
        ahead=st.one_of(
            *(
                st.floats(-2, 2),
                st.floats(-2 * HOUR, 2 * HOUR),
                st.floats(-YEAR, YEAR),
                st.floats(-50 * YEAR, 70 * YEAR),
            )
        )
    )
    def our_clock_is_set(self, ahead: float) -> None:
        def happen() -> None:
            self.watched.ahead = ahead

        clock = self.watched.api.clock
        known, before = clock.skew is not None, clock.now()
        self.clocks = False
        self.untold |= not known
        self.without_change(happen)
        # Before and after, less than APPLIED_FROM of a difference is not applied, to one side or the other.
        assert not known or abs(clock.now() - before) <= 2 * APPLIED_FROM + RESOLUTION
