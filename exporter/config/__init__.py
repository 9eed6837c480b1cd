"""The configuration: its types, and how it is read from a YAML file and the environment variables."""

from exporter.config.describe import describe
from exporter.config.duration import Duration
from exporter.config.load import load
from exporter.config.model import (
    Account,
    Alerts,
    Buckets,
    Config,
    Discovery,
    Environment,
    EnvironmentThresholds,
    Histograms,
    History,
    Links,
    Metrics,
    Probe,
    Scrape,
)
from exporter.config.overlaps import overlaps
from exporter.config.problem import ConfigError, Problem

__all__ = [
    "Account",
    "Alerts",
    "Buckets",
    "Config",
    "ConfigError",
    "Discovery",
    "Duration",
    "Environment",
    "EnvironmentThresholds",
    "Histograms",
    "History",
    "Links",
    "Metrics",
    "Probe",
    "Problem",
    "Scrape",
    "describe",
    "load",
    "overlaps",
]
