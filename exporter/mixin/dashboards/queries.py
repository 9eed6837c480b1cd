"""Pieces of PromQL that the dashboards share.

Two exporters that watch the same queue report the same numbers twice. Whatever tells of the queue is therefore the
largest value over the instances, never their sum; only what an exporter does itself (requests, memory) is added up.
"""

from exporter.metrics.table import ITEMS, MetricSpec
from exporter.mixin.labels import ENVIRONMENT, TARGET

CHOSEN = ", ".join(f'{label}=~"${label}"' for label in TARGET)
"""The matchers every selector of an exporter's series has."""


def target(metric: str, *matchers: str) -> str:
    """Select a series of the chosen exporters.

    Args:
        metric: A series name.
        matchers: Further label matchers, such as ``code=~"5.."``.
    """
    return f"{metric}{{{', '.join((CHOSEN, *matchers))}}}"


def work(spec: MetricSpec, *matchers: str, suffix: str = "") -> str:
    """Select the series of one metric in the chosen environments.

    Args:
        spec: The metric.
        matchers: Further label matchers, such as ``state="queued"``.
        suffix: A series suffix of a histogram, such as ``_bucket``.
    """
    return target(spec.name + suffix, 'environment=~"$environment"', *matchers)


def per_environment(expression: str, *labels: str) -> str:
    """Reduce an expression to one series an environment (and per further label), the largest over the instances."""
    return f"max by ({', '.join((*ENVIRONMENT, *labels))}) ({expression})"


def items(*matchers: str) -> str:
    """Items by environment and state.

    Metadata labels, where configured, are added up within one exporter before the exporters are compared.

    Args:
        matchers: Label matchers, such as ``state="queued"``.
    """
    summed = f"sum by ({', '.join((*TARGET, *ENVIRONMENT))}, state) ({work(ITEMS, *matchers)})"
    return per_environment(summed, "state")


def rate(spec: MetricSpec, *matchers: str, suffix: str = "") -> str:
    """Per-second rate of a counter (or a histogram's series) of the chosen environments."""
    return f"rate({work(spec, *matchers, suffix=suffix)}[$__rate_interval])"


def increase(spec: MetricSpec, *matchers: str, suffix: str = "", window: str = "$__range") -> str:
    """Increase of a counter (or a histogram's series) of the chosen environments over a window.

    Args:
        spec: The metric.
        matchers: Further label matchers.
        suffix: A series suffix of a histogram.
        window: The window; by default the range shown.
    """
    return f"increase({work(spec, *matchers, suffix=suffix)}[{window}])"


def buckets(expression: str) -> str:
    """Add up the buckets of all environments, each counted once however many instances report it."""
    return f"sum by (le) ({per_environment(expression, 'le')})"


def quantile(q: float, spec: MetricSpec, *, over_range: bool = False) -> str:
    """A quantile of a lifecycle histogram over the chosen environments.

    Args:
        q: The quantile, from 0 to 1.
        spec: The histogram.
        over_range: Take the whole range shown instead of the rate interval.
    """
    counted = increase(spec, suffix="_bucket") if over_range else rate(spec, suffix="_bucket")
    return f"histogram_quantile({q:g}, {buckets(counted)})"


FIRING = 'ALERTS{alertstate="firing", alertname=~"QoderWork.+", environment=~"$environment"}'
"""Our alerts that fire for the chosen environments.

Alerts are reduced over the exporters that see the same queue, so they have neither job nor instance.
"""


def firing(severity: str) -> str:
    """Our alerts of one severity that fire for the chosen environments."""
    return FIRING.replace("}", f', severity="{severity}"}}')
