"""Where the links in rules and dashboards lead."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Site:
    """The addresses of an installation, each without a slash at the end.

    Attributes:
        grafana: Address of Grafana.
        runbooks: Address of the folder with the runbooks; by default where they are in the repository.
        exporter: Address of an exporter as people reach it; empty if it is not known.
    """

    grafana: str = "https://grafana.example.org"
    runbooks: str = "docs/runbooks"
    exporter: str = ""
