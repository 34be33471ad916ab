"""A repository, a label, a survey's words and teams with names that would do harm: shown as they are, harmless."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml
from playwright.sync_api import Browser

from metrics_assets.paths import DEMO_CONFIG
from metrics_assets.warehouse.engine import create_engine
from metrics_assets_tests.browser.conftest import pages_of, serving, watched
from metrics_assets_tests.command import metrics

pytestmark = pytest.mark.xdist_group("browser")

HARM = "<img src=x onerror=document.harmed=1>\"'`</script><script>document.harmed=2</script>{{7*7}}\u202e"
REPOSITORY = f"{HARM}/legacy"
WRITTEN = ("title", "name", "note", "segment")  # by people
TEAMS = {"platform": "Zibeline <b>1</b>", "web": "Quetzal\"2'", "payments": "Wombat & 3"}


@pytest.fixture(scope="module")
def hostile_site(demo_home: Path) -> Iterator[Path]:
    """The site of the demo's database in which names were replaced by hostile ones, and its home."""
    found = metrics("db-url", home=demo_home)
    url = sa.engine.make_url(found.stdout.strip()).set(drivername="postgresql+psycopg2")
    maintenance = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with maintenance.connect() as connection:
        connection.execute(sa.text("create database hostile template metrics"))
        connection.execute(sa.text("alter database hostile set search_path = metrics, raw, ops, public"))
    engine = create_engine(url.set(database="hostile"))
    with engine.begin() as connection:
        rename(connection)
    engine.dispose()
    home = demo_home / "hostile"
    home.mkdir()
    config = yaml.safe_load(DEMO_CONFIG.read_text(encoding="utf-8"))
    config["teams"] = {TEAMS.get(team, team): members for team, members in config["teams"].items()}
    config["space"]["teams"] = [TEAMS.get(team, team) for team in config["space"]["teams"]]
    for repository in config["repositories"]:
        if "team" in repository:
            repository["team"] = TEAMS.get(repository["team"], repository["team"])
    for folder in ("feeds", "catalogue", "reports"):
        shutil.copytree(DEMO_CONFIG.parent / folder, home / folder)
    (home / "metrics.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    database = url.set(database="hostile").render_as_string(hide_password=False)
    variables = {"METRICS_DATABASE_URL": database, "GITHUB_TOKEN": "x", "METRICS_DEMO_WEBHOOK": "http://127.0.0.1:9"}
    built = metrics("site", "build", home=home, **variables)
    assert built.returncode == 0, built.stdout + built.stderr
    yield home
    with maintenance.connect() as connection:
        connection.execute(sa.text("drop database hostile with (force)"))
    maintenance.dispose()


def rename(connection: sa.Connection) -> None:
    """Replace a repository's name in every text of the warehouse, titles of what people wrote, and teams' names."""
    columns = connection.execute(
        sa.text(
            "select columns.table_schema, columns.table_name, columns.column_name, columns.data_type "
            "from information_schema.columns join information_schema.tables using (table_schema, table_name) "
            "where table_schema in ('raw', 'metrics', 'ops') and table_type = 'BASE TABLE' "
            "and data_type in ('text', 'jsonb', 'ARRAY') and is_generated = 'NEVER'"
        )
    ).all()
    in_json = json.dumps(REPOSITORY)[1:-1]
    for schema, table, column, kind in columns:
        named = f"{schema}.{table}"
        if kind == "ARRAY":
            continue
        new = in_json if kind == "jsonb" else REPOSITORY
        connection.execute(
            sa.text(
                f'update {named} set "{column}" = replace("{column}"::text, :old, :new)::{kind} '
                f'where "{column}"::text like :like'
            ),
            {"old": "aurora/legacy", "new": new, "like": "%aurora/legacy%"},
        )
        if schema == "raw" and kind == "text" and column in WRITTEN:
            statement = f'update {named} set "{column}" = :harm || "{column}" where "{column}" is not null'
            connection.execute(sa.text(statement), {"harm": HARM})
        if column == "team":
            for old, new_team in TEAMS.items():
                statement = f"update {named} set team = :new where team = :old"
                connection.execute(sa.text(statement), {"old": old, "new": new_team})
    with_kinds = connection.execute(
        sa.text(
            "select table_schema || '.' || table_name from information_schema.columns join information_schema.tables "
            "using (table_schema, table_name) where column_name = 'subject_kind' and table_type = 'BASE TABLE'"
        )
    ).scalars()
    for named in with_kinds.all():
        for old, new_team in TEAMS.items():
            connection.execute(
                sa.text(f"update {named} set subject = :new where subject_kind = 'team' and subject = :old"),
                {"old": old, "new": new_team},
            )


def test_hostile_names_do_nothing(hostile_site: Path, browser: Browser) -> None:
    folder = (hostile_site / "metrics-home" / "site" / "current").resolve()
    with serving(hostile_site) as url, watched(browser) as page:
        page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
        shown = 0
        for path in pages_of(folder):
            page.goto(f"{url}/{path}")
            assert page.evaluate("document.harmed") is None, path
            assert page.locator("img[src=x]").count() == 0, path
            shown += "onerror=document.harmed=1" in page.locator("body").inner_text()
        assert shown >= 3, "the name is shown as it is"


def test_a_team_is_named_on_its_own_page_alone(hostile_site: Path) -> None:
    folder = (hostile_site / "metrics-home" / "site" / "current").resolve()
    own = 0
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            named = {name for name in ("Zibeline", "Quetzal", "Wombat") if re.search(name, text, re.IGNORECASE)}
            is_own = path.relative_to(folder).parts[0] == "team"
            assert len(named) <= is_own, f"{path.relative_to(folder)} names {sorted(named)}"
            own += bool(named)
            assert not re.search("zibeline|quetzal|wombat", os.fspath(path.relative_to(folder)), re.IGNORECASE)
    assert own == 2 * len(TEAMS), "each team has a page and its CSV file"
