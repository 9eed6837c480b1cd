"""Pieces of the annotations' templates, and the links in them."""

from typing import Final

from exporter.mixin.rules.rule import Alert
from exporter.mixin.site import Site

ENVIRONMENT_NAME: Final = "{{ $labels.environment }} ({{ $labels.environment_id }})"
ACCOUNT_NAME: Final = "{{ $labels.account }}"
EXPORTER_NAME: Final = "{{ $labels.instance }} (job {{ $labels.job }})"
FOR_SECONDS: Final = "{{ $value | humanizeDuration }}"
SHARE: Final = "{{ $value | humanizePercentage }}"
COUNT: Final = '{{ $value | printf "%.0f" }}'


def runbook(alert: Alert, site: Site) -> str:
    """The address of an alert's runbook."""
    return f"{site.runbooks}/{alert.name.lower()}.md"


def dashboard(alert: Alert, site: Site) -> str:
    """The address of an alert's dashboard, as a template that fills in what the alert is about."""
    variables = "&".join(
        f"var-{name}={{{{ $labels.{name} | urlquery }}}}"
        for name in ("environment", "job", "instance")
        if name in alert.labels
    )
    return f"{site.grafana}/d/qoder-work-{alert.board}" + (f"?{variables}" if variables else "")


def items(alert: Alert, site: Site) -> dict[str, str]:
    """What leads to the items that an alert is about, by the name of its annotation: a command, and perhaps a page."""
    if "environment_id" not in alert.labels:
        return {}
    command = "qoder-work-exporter inspect {{ $labels.environment_id }}"
    if not site.exporter:
        return {"inspect": command}
    page = f"{site.exporter}/environments/{{{{ $labels.environment_id | urlquery }}}}"
    return {"inspect": f"{command} --url {site.exporter}", "items_url": page}
