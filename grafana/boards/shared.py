"""What several dashboards show alike."""

from grafana.palette import CRITICAL, OK

NO_EXPORTER = "No exporter found"
NO_DATA = "No data: is the environment down?"

UP_OR_DOWN = {1: ("Up", OK), 0: ("Down", CRITICAL)}
"""Words and colours of every 1-or-0 series about success."""
