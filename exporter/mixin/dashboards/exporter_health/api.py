"""The Exporter dashboard on the API: requests, responses and latency."""

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
                "Requests per second to each endpoint, of all exporters: each of a pair sends its own. Worry "
                "near 50 per second in one account: that is the limit the API recommends.",
                NO_REQUEST,
            ),
            [Query(f"sum by (endpoint) ({_requests()})", "{{endpoint}}")],
            unit="reqps",
            stacked=True,
        ),
        timeseries(
            Text(
                "Requests by status code",
                "Requests per second by the API's status code; error is a request without a response. Healthy is "
                "200 only; 404 is an item or cursor the API no longer has. Worry at 401 (the token), and at "
                "persistent 429 and 5xx (the API).",
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
                "Requests sent again after a transient error. A few per day are normal; worry when they are "
                "steady, because each one delays a refresh.",
                "No request was retried",
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
                "Request duration",
                "Requests per second with this duration. A second band above the first is one slow endpoint; "
                "worry at colour that climbs: the API slows down.",
                NO_REQUEST,
            ),
            LATENCY,
            unit="s",
            cell="cps",
        ),
        timeseries(
            Text(
                "Request duration, quantiles",
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
                "Requests waiting for the rate limit",
                "How many requests waited at once, on average, to keep to the configured rate. Worry when it stays "
                "above 1: the rate then limits how fresh the data are.",
                NO_REQUEST,
            ),
            [Query(f"sum by (account) (rate({target(API_PACED.name)}[$__rate_interval]))", "{{account}}")],
            unit="short",
            axis="requests",
        ),
        timeseries(
            Text(
                "Clock difference",
                "Difference between the API's clock and the exporter's. Ages are corrected from 2 s on. Worry at the "
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
    """Rates, responses, latency and limits."""
    return Section("API", [_rates(), _latency(steps), _limits(steps)])
