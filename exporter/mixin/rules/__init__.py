"""The Prometheus rules: recording rules, the alerts by what they are about, and the YAML they become."""
