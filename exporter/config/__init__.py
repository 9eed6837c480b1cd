"""The configuration: its types, and how it is read from a YAML file and the environment variables."""

from exporter.config.duration import Duration
from exporter.config.load import load
from exporter.config.model import Account, Config, Discovery, Environment, History, Metrics, Scrape
from exporter.config.problem import ConfigError, Problem

__all__ = [
    "Account",
    "Config",
    "ConfigError",
    "Discovery",
    "Duration",
    "Environment",
    "History",
    "Metrics",
    "Problem",
    "Scrape",
    "load",
]
