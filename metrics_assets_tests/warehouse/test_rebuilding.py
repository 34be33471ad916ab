"""What others see of a table while it is rebuilt: all of its old rows or all of its new ones, nothing between."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from metrics_assets.assets.derivations import Derivation, derivations
from metrics_assets_tests.warehouse.tables import (
    START,
    commit,
    counters,
    derive,
    events,
    fill,
    good,
    incident,
    issue,
    on,
    pull,
    release,
    star,
    table,
    tag,
)

LAST, END = on("06-20"), on("06-21")


@pytest.fixture
def derived(warehouse: sa.Engine) -> sa.Engine:
    """Twenty days of a repository with something of everything."""
    fill(
        warehouse,
        *[commit(f"c{day}", f"06-{day:02} 08:00", f"c{day - 1}" if day > 1 else "") for day in range(1, 20)],
        *[pull(day, f"06-{day:02} 07:00", f"06-{day:02} 08:00", f"c{day}") for day in range(1, 20, 2)],
        *[good(day, f"c{day}", f"06-{day:02} 12:00") for day in range(2, 20, 3)],
        *[issue(100 + day, f"06-{day:02} 09:00", f"06-{day:02} 19:00") for day in range(1, 15)],
        incident(200, "06-06 10:00", "06-06 15:00"),
        events(101, ("commented", "06-01 10:00", "bea")),
        release(1, "v1.0.0", "06-03"),
        tag("v1.0.0", "c3", "06-03"),
        *[star(f"fan{day}", f"06-{day:02}") for day in range(1, 20)],
        counters("06-21 00:10", 19),
    )
    derive(warehouse, LAST)
    return warehouse


def test_no_reader_ever_sees_a_table_empty_or_half_written(derived: sa.Engine) -> None:
    before = {name: _contents(derived, name) for name in derivations()}
    assert sum(bool(rows) for rows in before.values()) >= 9, "the sample leaves too many tables empty"
    for name, derivation in derivations().items():
        seen = _seen_meanwhile(derived, name, lambda derivation=derivation: _rebuild(derived, derivation))  # type: ignore[misc]
        assert seen, "nobody looked"
        assert all(rows == before[name] for rows in seen), name


def test_a_rebuild_that_fails_leaves_what_was_there(derived: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _contents(derived, "repository_daily")
    from metrics_assets.warehouse import derived as module

    broken = module.derived_tables()["repository_daily"]
    object.__setattr__(broken, "sql", broken.sql + "\nwhere 1 / (extract(day from days.date) - 15) < 100")
    try:
        with pytest.raises(sa.exc.DataError, match="division by zero"):
            _rebuild(derived, derivations()["repository_daily"])
    finally:
        module.derived_tables.cache_clear()
        derivations.cache_clear()
    assert _contents(derived, "repository_daily") == before


def _rebuild(engine: sa.Engine, derivation: Derivation) -> None:
    derivation.run(engine, START, END)


def _contents(engine: sa.Engine, name: str) -> list[tuple[object, ...]]:
    return sorted(table(engine, f"select * from metrics.{name}"), key=repr)


def _seen_meanwhile(engine: sa.Engine, name: str, work: Callable[[], None]) -> list[list[tuple[object, ...]]]:
    """What another connection saw of a table again and again while some work was done, and once after it."""
    worker = threading.Thread(target=work)
    worker.start()
    seen = []
    while worker.is_alive():
        seen.append(_contents(engine, name))
    worker.join()
    return [*seen, _contents(engine, name)]
