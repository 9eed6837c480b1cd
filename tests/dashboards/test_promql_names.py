import pytest

from tests.dashboards.promql_names import Selector, names_in


def test_selectors_are_found_with_their_matchers() -> None:
    assert names_in('a_total{job=~"$job", b!="x,y}"} / on (c) d').selectors == (
        Selector("a_total", ('job=~"$job"', 'b!="x,y}"')),
        Selector("d", ()),
    )


def test_the_labels_of_a_selector_are_those_of_its_matchers() -> None:
    assert names_in('a{job=~"$job", b!="x", c!~"y=z"}').selectors[0].labels == {"job", "b", "c"}


def test_labels_of_every_grouping_are_found() -> None:
    expression = "sum by (a, b) (x) + on (c) group_left (d) max without (e) (y) unless ignoring (f) z"
    assert names_in(expression).grouped == {"a", "b", "c", "d", "e", "f"}


def test_functions_and_words_are_no_series() -> None:
    names = names_in("histogram_quantile(0.9, sum by (le) (rate(x_bucket[$__rate_interval]))) >= bool 1e3 or -Inf")
    assert [selector.name for selector in names.selectors] == ["x_bucket"]
    assert names.functions == {"histogram_quantile", "sum", "rate"}


def test_a_selector_may_have_no_name() -> None:
    assert names_in('{__name__=~"a|b"}').selectors == (Selector("", ('__name__=~"a|b"',)),)


def test_what_is_not_promql_is_refused() -> None:
    with pytest.raises(ValueError, match="not PromQL at '#"):
        names_in("a # b")
