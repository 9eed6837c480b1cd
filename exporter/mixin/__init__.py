"""Alert rules and dashboards, made from the table of metrics and the thresholds: ``qoder-work-exporter mixin``.

``rules`` has the alerting and recording rules, ``dashboards`` the Grafana dashboards; what both use (labels, PromQL,
colours, links) stands beside them, and ``render`` says which files they make.
"""
