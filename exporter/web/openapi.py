"""The JSON API's description in OpenAPI 3.1, generated from its types: ``python -m exporter.web.openapi`` prints it."""

import json
import sys
from typing import Any, get_args

import msgspec

from exporter.web import schema
from exporter.web.json_api import PATH
from exporter.web.selection import MAX_ITEMS, MAX_SEARCH, SORTS
from exporter.web.severity import Severity

_REF = "#/components/schemas/{name}"


def document() -> dict[str, Any]:
    """The description."""
    (fleet, items, problem), components = msgspec.json.schema_components(
        [schema.Fleet, schema.EnvironmentItems, schema.Problem], ref_template=_REF
    )
    sorts = [*SORTS, *(f"-{sort}" for sort in SORTS)]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "qoder-work-exporter",
            "version": schema.VERSION,
            "description": "What the status page shows. Fields are added within a version, never changed or removed.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            PATH: {
                "get": {
                    "operationId": "environments",
                    "summary": "Every environment that is watched",
                    "parameters": [
                        _query("sort", "Sort order; a leading - reverses it.", {"enum": sorts, "default": "severity"}),
                        _query(
                            "q", "Only environments whose name, ID or account contains this.", {"maxLength": MAX_SEARCH}
                        ),
                        _query(
                            "severity",
                            "Only environments with this severity or worse.",
                            {"enum": list(get_args(Severity))},
                        ),
                    ],
                    "responses": {"200": _json("The environments.", fleet), "400": _json("A bad parameter.", problem)},
                }
            },
            f"{PATH}/{{environment}}": {
                "get": {
                    "operationId": "environment",
                    "summary": "One environment and its live items, worst first",
                    "parameters": [
                        {
                            "name": "environment",
                            "in": "path",
                            "required": True,
                            "description": "The environment's ID or name.",
                            "schema": {"type": "string"},
                        },
                        _query(
                            "limit",
                            "Maximum number of items.",
                            {"type": "integer", "minimum": 0, "maximum": MAX_ITEMS, "default": 100},
                        ),
                        _query("state", "Only items in this state.", {}),
                        _query("work_id", "Only this item.", {}),
                    ],
                    "responses": {
                        "200": _json("The environment.", items),
                        "400": _json("A bad parameter.", problem),
                        "404": _json("No such environment is watched.", problem),
                        "409": _json("Several environments have this name.", problem),
                    },
                }
            },
        },
        "components": {"schemas": components},
    }


def _query(name: str, description: str, kind: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string"} | kind}


def _json(description: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": content}}}


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
