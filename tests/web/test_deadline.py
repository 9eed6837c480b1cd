"""The time a scrape may take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web.deadline import MAX_SECONDS, BadTimeout, budget


def test_without_the_header_the_configured_timeout_holds_as_it_is() -> None:
    assert budget(None, timeout=10.0, offset=0.5) == 10.0


@pytest.mark.parametrize("text", ["10", "10.0", " 10 ", "1e1", "10."])
def test_with_the_header_the_offset_is_kept_free(text: str) -> None:
    assert budget(text, timeout=3.0, offset=0.5) == 9.5


@pytest.mark.parametrize("text", ["0.5", "0.25", ".1"])
def test_a_scraper_less_patient_than_the_offset_is_answered_at_once(text: str) -> None:
    assert budget(text, timeout=10.0, offset=0.5) == 0.0


@pytest.mark.parametrize(
    "text",
    ["", " ", "0", "0.0", "-1", "+1", "nan", "inf", "Infinity", "1e999", "ten", "10s", "1_0", "0x10", "10,5", "٣"],
)
def test_a_header_that_is_no_positive_number_is_refused(text: str) -> None:
    with pytest.raises(BadTimeout, match="X-Prometheus-Scrape-Timeout-Seconds must be a positive number of seconds"):
        budget(text, timeout=10.0, offset=0.5)


@pytest.mark.parametrize("text", ["121", "1e9", "1e308", "9" * 300])
def test_no_scraper_can_wait_so_long_that_a_refresh_never_ends(text: str) -> None:
    assert budget(text, timeout=10.0, offset=0.5) == MAX_SECONDS - 0.5
    assert budget(None, timeout=1e9, offset=0.5) == MAX_SECONDS


@given(st.floats(min_value=1e-3, max_value=1e6), st.floats(min_value=0, max_value=1e6))
def test_the_budget_is_never_negative_and_never_above_the_header(seconds: float, offset: float) -> None:
    assert 0 <= budget(repr(seconds), timeout=10.0, offset=offset) <= seconds
