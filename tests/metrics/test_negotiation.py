"""Which format and which encoding a scraper gets."""

import pytest

from exporter.metrics.negotiation import accepts_gzip, choose_format

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=0.1, text/plain;q=0.2", TEXT),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.1", OPENMETRICS),
        ("text/plain;q=0.5, application/openmetrics-text;q=0.5", TEXT),
        ("application/openmetrics-text;q=0.5, text/plain;q=0.5", OPENMETRICS),
        ("*/*;q=0.5, application/openmetrics-text", OPENMETRICS),
        ("*/*, application/openmetrics-text;q=0.5", TEXT),
        ("application/openmetrics-text; version=9.9.9", TEXT),
        ("application/openmetrics-text; version=9.9.9, application/openmetrics-text;q=0.5", OPENMETRICS),
        ("application/openmetrics-text; version=0.0.1", TEXT),
        ('application/openmetrics-text; version="1.0.0"', f"{OPENMETRICS}; escaping=underscores"),
        ("APPLICATION/OpenMetrics-Text", OPENMETRICS),
        ("application/openmetrics-text; q=often", TEXT),
        ("application/openmetrics-text; version=1.0.0; escaping=dots", f"{OPENMETRICS}; escaping=dots"),
        ("application/openmetrics-text; version=1.0.0; escaping=<b>", f"{OPENMETRICS}; escaping=underscores"),
        ("text/plain; version=1.0.0", "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"),
        ("text/plain; version=3.0.0", TEXT),
        ("image/png", TEXT),
        ("," * 100_000, TEXT),
    ],
    ids=lambda text: text[:60],
)
def test_the_format_is_the_one_that_is_accepted_most(accept: str, content_type: str) -> None:
    assert choose_format(accept)[1] == content_type


@pytest.mark.parametrize("accepted", [None, "", "gzip;q=0", "identity", "gzip;q=0.5, identity", "*;q=0", "br"])
def test_gzip_is_not_sent_to_a_scraper_that_does_not_want_it(accepted: str | None) -> None:
    assert not accepts_gzip(accepted)


@pytest.mark.parametrize(
    "accepted", ["gzip", "gzip;q=0.1", "br, x-gzip", "*", "identity;q=0.5, GZIP;q=0.5", "deflate,gzip"]
)
def test_gzip_is_sent_to_a_scraper_that_wants_it(accepted: str) -> None:
    assert accepts_gzip(accepted)
