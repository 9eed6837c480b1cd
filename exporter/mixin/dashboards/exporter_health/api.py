"""The Exporter dashboard on the API: how much is asked, what comes back, how fast."""

from exporter.metrics.table import API_CLOCK_SKEW, API_PACED, API_REQUEST_DURATION, API_REQUESTS, API_RETRIES
from exporter.mixin.dashboards.layout import Section
from exporter.mixin.dashboards.panel import Panel, Query, Text
from exporter.mixin.dashboards.queries import target
from exporter.mixin.dashboards.shared import NO_EXPORTER, PER_MINUTE
from exporter.mixin.dashboards.steps import Steps
from exporter.mixin.dashboards.visualizations import heatmap, timeseries
from exporter.mixin.palette import CODES, CRITICAL, ORANGE, QUANTILES

NO_REQUEST = "No request yet"


def _requests(*matchers: str) -> str:
    return f"rate({target(API_REQUESTS.name, *matchers)}[$__rate_interval])"


LATENCY = f"sum by (le) (rate({target(API_REQUEST_DURATION.name + '_bucket')}[$__rate_interval]))"


def _rates() -> list[Panel]:
    retries = f"rate({target(API_RETRIES.name)}[$__rate_interval])"
    return [
        timeseries(
            Text(
                "Requests by endpoint",
                "Requests a second to each endpoint, of all exporters: each of a pair asks for itself. Worry "
                "near 50 a second in one account: that is what the API asks to keep to.",
                NO_REQUEST,
            ),
            [Query(f"sum by (endpoint) ({_requests()})", "{{endpoint}}")],
            unit="reqps",
            stacked=True,
        ),
        timeseries(
            Text(
                "Requests by answer",
                "Requests a second by the API's status code; error is a request without an answer. Healthy is "
                "200 alone; 404 is an item or cursor the API forgot. Worry at 401 (the token), and at 429 and "
                "5xx (the API) that go on.",
                NO_REQUEST,
            ),
            [Query(f"sum by (code) ({_requests()})", "{{code}}")],
            unit="reqps",
            colours=CODES,
            stacked=True,
        ),
        timeseries(
            Text(
                "Retries per minute, by reason",
                "Requests sent again after a passing failure. Some are normal over a day; worry when they come "
                "steadily, for each one makes a refresh longer.",
                "No request was repeated",
            ),
            [Query(f"{PER_MINUTE} * sum by (reason) ({retries}) > 0", "{{reason}}")],
            unit="short",
            bars=True,
            axis="requests per minute",
        ),
    ]


def _latency(steps: Steps) -> list[Panel]:
    return [
        heatmap(
            Text(
                "Time a request takes",
                "Requests a second that took so long. A second band above the first is one slow endpoint; "
                "worry at colour that climbs: an API in trouble.",
                NO_REQUEST,
            ),
            LATENCY,
            unit="s",
            cell="cps",
        ),
        timeseries(
            Text(
                "Time a request takes, quantiles",
                "Over all endpoints and accounts. Worry when p90 stays above the dashed line: the round trips of a "
                "refresh do not fit into a scrape any more.",
                NO_REQUEST,
            ),
            [Query(f"histogram_quantile({q:g}, {LATENCY})", f"p{q * 100:g}") for q in (0.5, 0.9, 0.99)],
            unit="s",
            steps=steps.api_latency,
            colours=QUANTILES,
            width=12,
            height=9,
        ),
    ]


def _limits(steps: Steps) -> list[Panel]:
    def share(code: str) -> str:
        refused = f"sum by (account) ({_requests(code)})"
        return f"({refused} or 0 * sum by (account) ({_requests()})) / sum by (account) ({_requests()})"

    throttled = 'code=~"429|503"'
    unauthorized = 'code="401"'
    return [
        timeseries(
            Text(
                "Refused requests, share",
                "Share of an account's requests that were throttled (429, 503) or whose token was refused (401). "
                "Worry at the dashed line: lower requests_per_second, or renew the token.",
                NO_REQUEST,
            ),
            [Query(share(throttled), "{{account}} throttled"), Query(share(unauthorized), "{{account}} token refused")],
            unit="percentunit",
            steps=steps.throttled,
            reaching=steps.throttled[0].value,
            colours={".* throttled": ORANGE, ".* token refused": CRITICAL},
        ),
        timeseries(
            Text(
                "Requests waiting for their turn",
                "How many requests waited at once, on average, so as to keep to the configured rate. Worry "
                "above 1 for long: the rate is then the limit of how fresh the data are.",
                NO_REQUEST,
            ),
            [Query(f"sum by (account) (rate({target(API_PACED.name)}[$__rate_interval]))", "{{account}}")],
            unit="short",
            axis="requests",
        ),
        timeseries(
            Text(
                "Clock difference",
                "How far the API's clock and the exporter's are apart. Ages are corrected from 2 s on. Worry at the "
                "dashed line: the machine's time is not synchronised.",
                NO_EXPORTER,
            ),
            [Query(f"max by (account, instance) (abs({target(API_CLOCK_SKEW.name)}))", "{{account}} by {{instance}}")],
            unit="s",
            steps=steps.clock_skew,
            reaching=steps.clock_skew[0].value,
        ),
    ]


def section(steps: Steps) -> Section:
    """Rates, answers, latency and limits."""
    return Section("API", [_rates(), _latency(steps), _limits(steps)])
