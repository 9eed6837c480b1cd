"""What the dashboards have in common: variables, annotations, links between them, and the frame around the panels."""

from collections.abc import Sequence

from exporter.metrics.table import BUILD_INFO, UP
from exporter.mixin.dashboards.layout import Section, place
from exporter.mixin.dashboards.panel import DATASOURCE, Json
from exporter.mixin.dashboards.queries import FIRING, target
from exporter.mixin.palette import CRITICAL, PURPLE, SKY_BLUE
from exporter.mixin.site import Site

TAG = "qoder-work"
FLEET = "qoder-work-fleet"
ENVIRONMENT = "qoder-work-environment"
EXPORTER = "qoder-work-exporter"

SCHEMA_VERSION = 38
"""Of Grafana 10.0, the oldest supported; newer ones migrate on load."""

KEPT = "${__url_time_range}&${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"
"""What every data link carries on: the time range and the variables of both ends."""


def environment_link(value: str) -> Json:
    """A data link to the Environment dashboard.

    Args:
        value: The Grafana expression that gives the environment, without ``${`` and ``}``.
    """
    return {
        "targetBlank": False,
        "title": "Open this environment",
        "url": f"/d/{ENVIRONMENT}?{KEPT}&var-environment=${{{value}:percentencode}}",
    }


TO_ENVIRONMENT_OF_ROW = environment_link("__data.fields.Environment")
TO_ENVIRONMENT_OF_SERIES = environment_link("__field.labels.environment")
TO_EXPORTER: Json = {
    "targetBlank": False,
    "title": "Open the exporter",
    "url": f"/d/{EXPORTER}?{KEPT}&${{environment:queryparam}}",
}


def _query_variable(name: str, label: str, query: str, all_value: str) -> Json:
    return {
        "allValue": all_value,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "datasource": DATASOURCE,
        "definition": query,
        "hide": 0,
        "includeAll": True,
        "label": label,
        "multi": True,
        "name": name,
        "options": [],
        "query": {"qryType": 1, "query": query, "refId": f"variable-{name}"},
        "refresh": 2,
        "regex": "",
        "skipUrlSync": False,
        "sort": 1,
        "type": "query",
    }


def variables() -> list[Json]:
    """Data source, job, instance and environment, each narrowing the next.

    Exporters are found by what they watch or by their build: one that can watch nothing yet is listed too.
    """
    exporters = f'__name__=~"{UP.name}|{BUILD_INFO.name}"'
    return [
        {
            "current": {},
            "hide": 0,
            "includeAll": False,
            "label": "Data source",
            "multi": False,
            "name": "datasource",
            "options": [],
            "query": "prometheus",
            "refresh": 1,
            "regex": "",
            "skipUrlSync": False,
            "type": "datasource",
        },
        _query_variable("job", "Job", f"label_values({{{exporters}}}, job)", ".+"),
        _query_variable("instance", "Instance", f'label_values({{{exporters}, job=~"$job"}}, instance)', ".+"),
        # All is also what has no environment, so that alerts about an exporter are not lost.
        _query_variable("environment", "Environment", f"label_values({target(UP.name)}, environment)", ".*"),
    ]


def annotations() -> list[Json]:
    """Marks on the time axis: deployments, alerts while they fire, and starts of an exporter."""
    return [
        {
            "builtIn": 1,
            "datasource": {"type": "grafana", "uid": "-- Grafana --"},
            "enable": True,
            "hide": True,
            "iconColor": "rgba(0, 211, 255, 1)",
            "name": "Annotations & Alerts",
            "type": "dashboard",
        },
        {
            # What your deployment puts there, by Grafana's API: docs/dashboards.md has the command.
            "datasource": {"type": "grafana", "uid": "-- Grafana --"},
            "enable": True,
            "hide": False,
            "iconColor": PURPLE,
            "name": "Deployments",
            "target": {"limit": 100, "matchAny": False, "tags": ["deployment"], "type": "tags"},
            "type": "tags",
        },
        {
            "datasource": DATASOURCE,
            "enable": True,
            "expr": FIRING,
            "hide": False,
            "iconColor": CRITICAL,
            "name": "Firing alerts",
            "step": "60s",
            "tagKeys": "severity",
            "textFormat": "{{environment}}",
            "titleFormat": "{{alertname}}",
            "useValueForTime": False,
        },
        {
            "datasource": DATASOURCE,
            "enable": True,
            # The value is the time of the start, so that a start is marked where it was and once. Every process
            # has that name: only those that are exporters of ours count.
            "expr": f"{target('process_start_time_seconds')} * 1000 and on (job, instance) {target(BUILD_INFO.name)}",
            "hide": False,
            "iconColor": SKY_BLUE,
            "name": "Exporter starts",
            "step": "60s",
            "tagKeys": "job",
            "textFormat": "{{instance}}",
            "titleFormat": "Exporter started",
            "useValueForTime": True,
        },
    ]


def links() -> list[Json]:
    """The other dashboards, with the time range and the variables kept."""
    return [
        {
            "asDropdown": False,
            "icon": "external link",
            "includeVars": True,
            "keepTime": True,
            "tags": [TAG],
            "targetBlank": False,
            "title": "Qoder Work",
            "tooltip": "The other dashboards of this exporter",
            "type": "dashboards",
            "url": "",
        }
    ]


def runbooks_links(site: Site) -> list[Json]:
    """A link to the alerts' runbooks; none where their address is a path, which Grafana cannot follow."""
    if not site.runbooks.startswith(("http://", "https://")):
        return []
    return [
        {
            "asDropdown": False,
            "icon": "doc",
            "includeVars": False,
            "keepTime": False,
            "tags": [],
            "targetBlank": True,
            "title": "Runbooks",
            "tooltip": "What each alert means and what to do",
            "type": "link",
            "url": site.runbooks,
        }
    ]


def dashboard(uid: str, title: str, description: str, sections: Sequence[Section]) -> Json:
    """A dashboard in Grafana's classic JSON.

    Args:
        uid: The identifier in its address; never changes.
        title: The name in Grafana's list.
        description: What questions it answers.
        sections: The panels.
    """
    return {
        "annotations": {"list": annotations()},
        "description": description,
        "editable": False,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "links": links(),
        "liveNow": False,
        "panels": place(sections),
        "refresh": "30s",
        "schemaVersion": SCHEMA_VERSION,
        "tags": [TAG],
        "templating": {"list": variables()},
        "time": {"from": "now-6h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": title,
        "uid": uid,
        "version": 1,
        "weekStart": "",
    }
