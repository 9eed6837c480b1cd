"""Prometheus exporter for the work queues of Qoder Cloud Agents' self-hosted environments."""

__version__ = "0.1.0"
