"""Errors that a person meets. Each is a sentence: what is wrong, where, and what to do."""

from __future__ import annotations


class MetricsError(Exception):
    """Base of all errors whose text is meant for the person at the terminal or in the Dagster UI."""


class ConfigurationError(MetricsError):
    """Something in metrics.yaml, the environment or the command line has to be changed by the user."""


class WarehouseError(MetricsError):
    """PostgreSQL cannot be reached, or holds something that this version cannot work with."""


class CatalogueError(MetricsError):
    """A catalogue file of this product or of the user holds a wrong entry."""


class AlertError(MetricsError):
    """An alert or a silence cannot be changed as it was asked."""
