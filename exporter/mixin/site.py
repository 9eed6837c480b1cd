"""Where the links in rules and dashboards lead."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Site:
    """The addresses of an installation.

    Attributes:
        grafana: Address of Grafana, without a slash at the end.
        runbooks: Address of the folder with the runbooks, without a slash at the end; by default where they are in the
            repository.
    """

    grafana: str = "https://grafana.example.org"
    runbooks: str = "docs/runbooks"
