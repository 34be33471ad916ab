"""Where the files lie that are not Python: in a checkout at the top level, in a wheel inside the package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = _PACKAGE / "_shipped"
_TOP = _SHIPPED if _SHIPPED.exists() else _PACKAGE.parent

SQL = _TOP / "sql"
DAGSTER_YAML = _TOP / "dagster.yaml"
CATALOGUE = _PACKAGE / "catalogue"
DEMO_CONFIG = _PACKAGE / "demo" / "metrics.yaml"
