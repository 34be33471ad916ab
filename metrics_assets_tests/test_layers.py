"""Who may import whom (design section 2): the layers meet in `assets` only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import metrics_assets

_ROOT = Path(metrics_assets.__file__).parent
# Layer: the layers of this package that it may import besides itself and the modules at the top.
_MAY_IMPORT = {
    "sources": set(),
    "catalogue": set(),
    "analysis": set(),
    "reporting": {"catalogue"},
    "alerting": {"catalogue"},
    "warehouse": {"catalogue", "sources"},  # the records, which are its input
    "publishing": {"reporting"},
    "demo": {"sources"},
    "assets": {"sources", "catalogue", "analysis", "reporting", "alerting", "publishing", "warehouse"},
    "automation": {"assets", "catalogue", "alerting"},
}


def _imports(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("layer", sorted(_MAY_IMPORT))
def test_a_layer_imports_only_what_lies_below_it(layer: str) -> None:
    for file in (_ROOT / layer).rglob("*.py"):
        for name in _imports(file):
            parts = name.split(".")
            if parts[0] == "metrics_assets" and len(parts) > 1 and (_ROOT / parts[1]).is_dir():
                assert parts[1] in _MAY_IMPORT[layer] | {layer}, f"{file.relative_to(_ROOT)} imports {name}"


@pytest.mark.parametrize("layer", sorted(set(_MAY_IMPORT) - {"assets", "automation"}))
def test_only_assets_and_automation_know_dagster(layer: str) -> None:
    for file in (_ROOT / layer).rglob("*.py"):
        assert not any(name.split(".")[0] == "dagster" for name in _imports(file)), file


def test_the_warehouse_takes_only_records_from_the_sources() -> None:
    for file in (_ROOT / "warehouse").rglob("*.py"):
        used = {name for name in _imports(file) if name.startswith("metrics_assets.sources")}
        assert used <= {"metrics_assets.sources.records"}, file
