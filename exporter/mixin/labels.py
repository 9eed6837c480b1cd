"""The labels that rules and dashboards group by."""

from typing import Final

from exporter.metrics.table import ENVIRONMENT

__all__ = ["BY_ENVIRONMENT", "ENVIRONMENT", "TARGET"]

BY_ENVIRONMENT: Final = ", ".join(ENVIRONMENT)
"""What tells environments apart. The exporter's own job and instance are left out, so that a pair of exporters that
watch the same environment, under whatever job, gives one alert and one line."""

TARGET: Final = ("job", "instance")
"""What tells exporters apart; Prometheus adds these labels."""
