"""The colours, one meaning each, the same on every panel.

They are the eight of Okabe and Ito ("Color Universal Design", 2008), chosen to stay apart for every common kind of
colour vision, and grey for what needs no attention.
"""

ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#666666"

OK = GREEN
WARNING = YELLOW
CRITICAL = VERMILLION
NEUTRAL = GREY
UNPAINTED = "transparent"
"""What a cell of a table has below its first threshold, so that only trouble stands out."""

STATES: dict[str, str] = {
    "queued": SKY_BLUE,
    "starting": PURPLE,
    "active": GREEN,
    "stopping": BLUE,
    "stopped": GREY,
}
"""Colour of each state of a work item, in the order an item goes through them."""

SEVERITIES: dict[str, str] = {"critical": CRITICAL, "warning": WARNING, "info": SKY_BLUE}
"""Colour of each severity of an alert."""

QUANTILES: dict[str, str] = {"p50": SKY_BLUE, "p90": BLUE, "p95": BLUE, "p99": PURPLE}
"""Colour of each quantile."""

PENDING = BLUE
"""Colour of what is delivered and not acknowledged."""

FLOWS: dict[str, str] = {"created": SKY_BLUE, "stopped": GREY, "requeued": ORANGE, "vanished": VERMILLION}
"""Colour of each way into or out of the queue; stopped has its state's colour, created that of queued."""

CODES: dict[str, str] = {"2..": GREEN, "3..": BLUE, "4..": ORANGE, "5..": VERMILLION, "error": PURPLE}
"""Colour of each class of answers of the API; ``error`` is a request without an answer."""

WORKERS = ORANGE
"""Colour of the workers that poll."""

REASONS: dict[str, str] = {
    "auth|permission": VERMILLION,
    "not_found|not_self_hosted": PURPLE,
    "rate_limited": SKY_BLUE,
    "timeout|network": ORANGE,
    "server": BLUE,
    "invalid_response|internal": GREY,
}
"""Colour of each kind of reason why a refresh failed: who can fix it."""

BURN: dict[str, str] = {"1h": VERMILLION, "6h": ORANGE, "1d": BLUE, "3d": SKY_BLUE}
"""Colour of each window of the burn rate."""
