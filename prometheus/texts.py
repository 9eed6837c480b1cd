"""Pieces of the annotations' templates."""

from typing import Final

ENVIRONMENT_NAME: Final = "{{ $labels.environment }} ({{ $labels.environment_id }})"
ACCOUNT_NAME: Final = "{{ $labels.account }}"
EXPORTER_NAME: Final = "{{ $labels.instance }} (job {{ $labels.job }})"
FOR_SECONDS: Final = "{{ $value | humanizeDuration }}"
SHARE: Final = "{{ $value | humanizePercentage }}"
COUNT: Final = '{{ $value | printf "%.0f" }}'
