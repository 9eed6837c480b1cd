"""The source of the Prometheus rules: ``generate.py`` writes ``rules/qoder-work.rules.yml`` from these modules."""
