"""The variant of a dashboard that Grafana's import page asks a data source for."""

from exporter.mixin.dashboards.panel import Json

INPUT = "DS_PROMETHEUS"


def importable(board: Json) -> Json:
    """A dashboard whose data source variable is preset to what the person importing it chooses.

    Grafana replaces the placeholder on import only; in provisioned dashboards it would stay as it is.
    """
    placeholder = f"${{{INPUT}}}"
    variables = [
        {**variable, "current": {"selected": True, "text": placeholder, "value": placeholder}}
        if variable["type"] == "datasource"
        else variable
        for variable in board["templating"]["list"]
    ]
    kinds = sorted({panel["type"] for panel in board["panels"]} - {"row"})
    return {
        "__inputs": [
            {
                "description": "The Prometheus that scrapes the exporter",
                "label": "Prometheus",
                "name": INPUT,
                "pluginId": "prometheus",
                "pluginName": "Prometheus",
                "type": "datasource",
            }
        ],
        "__requires": [
            {"id": "grafana", "name": "Grafana", "type": "grafana", "version": "10.0.0"},
            {"id": "prometheus", "name": "Prometheus", "type": "datasource", "version": "1.0.0"},
            *({"id": kind, "name": kind, "type": "panel", "version": ""} for kind in kinds),
        ],
        **board,
        "templating": {"list": variables},
    }
