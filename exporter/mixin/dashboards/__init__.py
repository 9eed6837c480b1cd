"""The Grafana dashboards: one package for each, and the panels, queries and layout that they share."""
