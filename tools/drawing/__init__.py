"""Drawing a dashboard's panels from query results, so that they can be judged without a Grafana."""
