"""The Grafana dashboards: their generator, and a renderer that draws them from real query results."""
