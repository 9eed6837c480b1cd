import pytest

from tools.drawing.interpolate import All, Chosen, Scope, Span, escape

HOUR = Span(start=0, end=3600, scrape_interval=15)


def test_all_is_the_pattern_the_variable_gives_for_it() -> None:
    assert Scope(HOUR, {"job": All(".+")}).fill('up{job=~"$job"}') == 'up{job=~".+"}'


def test_one_value_stands_alone_and_several_are_alternatives() -> None:
    assert Scope(HOUR, {"job": Chosen(("a",))}).fill('up{job=~"$job"}') == 'up{job=~"a"}'
    assert Scope(HOUR, {"job": Chosen(("a", "b"))}).fill('up{job=~"${job}"}') == 'up{job=~"(a|b)"}'


def test_values_are_escaped_for_a_regular_expression_inside_a_string() -> None:
    assert escape("10.0.0.1:80") == r"10\\.0\\.0\\.1:80"
    assert escape("a|b (c)") == r"a\\|b \\(c\\)"
    assert escape("a\\b") == r"a\\\\b"


@pytest.mark.parametrize(
    ("span", "filled"),
    [
        (HOUR, "rate(x[60s]) + y[3600s:15s]"),
        (Span(0, 86_400, scrape_interval=15, max_points=1000), "rate(x[102s]) + y[86400s:87s]"),
        (Span(0, 60, scrape_interval=1), "rate(x[4s]) + y[60s:1s]"),
    ],
)
def test_windows_follow_the_range_and_the_scrape_interval(span: Span, filled: str) -> None:
    assert Scope(span).fill("rate(x[$__rate_interval]) + y[$__range:$__interval]") == filled


def test_an_unknown_variable_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"unknown variable \$nope"):
        Scope(HOUR).fill("x{a=$nope}")


def test_a_format_is_an_error() -> None:
    with pytest.raises(ValueError, match="job:csv"):
        Scope(HOUR, {"job": All(".+")}).fill("x{job=~'${job:csv}'}")
