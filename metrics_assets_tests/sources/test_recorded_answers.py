"""What GitHub really answered goes through our models into a real warehouse, and no person's name with it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.sources.asking import parse
from metrics_assets.sources.github import answers
from metrics_assets.sources.records import Record
from metrics_assets.warehouse.write import PersonKeys, upsert
from metrics_assets_tests.sources.recorded_answers import graphql_deployments, lines, people_in, recorded, records_of

PEOPLE = PersonKeys(b"a secret of the test, long enough")


@pytest.fixture(scope="module")
def parsed(real_data: Path) -> tuple[Counter[str], dict[str, list[Record]], set[str]]:
    """Of all recorded answers: items by entity, records by table, and people."""
    items: Counter[str] = Counter()
    rows: dict[str, list[Record]] = defaultdict(list)
    people: set[str] = set()
    repositories: dict[str, int] = {}
    for answer in recorded(real_data / "recorded"):
        repository_id = repositories.setdefault(answer.repository.lower(), len(repositories) + 1)
        people |= people_in(answer.body)
        if (found := records_of(answer, repository_id)) is not None:
            items[found[0]] += len(answer.body) if isinstance(answer.body, list) else 1
            for record in found[1]:
                rows[record.TABLE].append(record)
    return items, rows, people


def test_every_recorded_answer_of_our_entities_can_be_read(
    parsed: tuple[Counter[str], dict[str, list[Record]], set[str]],
) -> None:
    items, rows, _ = parsed
    assert items == {
        "commits": 1168,
        "contributors": 61,
        "deployment_statuses": 1,
        "deployments": 3,
        "issue_events": 483,
        "issues": 1178,
        "milestones": 14,
        "pull_requests": 95,
        "releases": 51,
        "repositories": 214,
        "review_comments": 37,
        "reviews": 34,
        "stargazers": 33,
        "tags": 125,  # REST's tags have no date: read, but no record
        "traffic": 2,
        "traffic_sources": 3,
        "workflow_jobs": 38,
        "workflow_runs": 58,  # some of them whole pages
    }
    assert {table: len(found) for table, found in rows.items()} == {
        "raw.commits": 1168,
        "raw.contributors": 61,
        "raw.deployment_statuses": 1,
        "raw.deployments": 3,
        "raw.issue_events": 483,
        "raw.milestones": 14,
        "raw.issues": 519,  # the others are pull requests, which /issues lists too
        "raw.pull_requests": 95,
        "raw.release_asset_counters": 261,
        "raw.release_assets": 261,
        "raw.releases": 51,
        "raw.repositories": 214,
        "raw.repository_counters": 214,
        "raw.review_comments": 37,
        "raw.reviews": 33,  # one was never submitted
        "raw.stargazers": 33,
        "raw.traffic": 26,
        "raw.traffic_sources": 3,
        "raw.workflow_jobs": 40,
        "raw.workflow_runs": 188,
    }


def test_bots_are_told_from_people_in_real_answers(real_data: Path) -> None:
    found: dict[str, bool] = {}

    def walk(content: Any) -> None:
        if isinstance(content, dict) and isinstance(content.get("login"), str) and "type" in content:
            account = parse(answers.User, content, "recorded").account()
            if account is not None:
                found[account.login] = account.is_bot
        for part in content.values() if isinstance(content, dict) else content if isinstance(content, list) else []:
            walk(part)

    for file in sorted((real_data / "recorded").glob("**/*.jsonl.gz")):
        for line in lines(file):
            walk(line)
    bots = {login for login, is_bot in found.items() if is_bot}
    assert bots == {
        "azure-pipelines", "codecov", "dependabot", "dependabot-preview", "github-learning-lab", "github-pages",
        "octocoders-linter", "pull", "renovate",
    }  # fmt: skip
    assert len(found) > 200
    assert "ghost" not in found


def test_real_answers_reach_the_warehouse_and_nobodys_name_with_them(
    parsed: tuple[Counter[str], dict[str, list[Record]], set[str]], warehouse: sa.Engine
) -> None:
    _, rows, people = parsed
    with warehouse.begin() as connection:
        first = {table: upsert(connection, found, PEOPLE) for table, found in rows.items()}
    with warehouse.begin() as connection:
        again = {table: upsert(connection, found, PEOPLE) for table, found in rows.items()}
        stored = {table: connection.execute(sa.text(f"select count(*) from {table}")).scalar_one() for table in rows}
        dump = {
            f"{table}.{column}": set(connection.execute(sa.text(f"select {column}::text from {table}")).scalars())
            for table in rows
            for column in (c["name"] for c in sa.inspect(connection).get_columns(table[4:], schema="raw"))
        }
    assert first == stored
    assert all(changed == 0 for changed in again.values()), again
    assert stored["raw.commits"] > 800
    assert len(people) > 300
    # Whose repository it is stands in its name, by which everybody knows it; nowhere else may a person stand.
    names = dump.pop("raw.repositories.repository")
    # ... and with it at the begin of its own popular paths.
    dump["raw.traffic_sources.name"] = {
        re.sub(r"^/[^/]+/[^/]+", "", text) for text in dump["raw.traffic_sources.name"] if text
    }
    assert names
    wanted = {person.lower() for person in people}
    leaks = {where: sorted(found & wanted) for where, texts in dump.items() if (found := _words(texts)) & wanted}
    assert leaks == {}


def _words(texts: set[str | None]) -> set[str]:
    """Everything in some texts that could be a login or an e-mail address."""
    words = {word for text in texts if text for word in re.split(r"[^\w@.+\[\]-]+", text.lower())}
    return words | {word.strip("@.[]") for word in words} | {part for word in words for part in word.split("@")}


def test_the_search_for_names_would_find_them() -> None:
    assert _words({"Thanks @mira-holt!", "by <mira@example.org>"}) >= {"mira-holt", "mira@example.org"}


def test_the_deployments_that_graphql_gave_devlake(real_data: Path, warehouse: sa.Engine) -> None:
    found = [parse(answers.Deployment, one, "devlake") for one in graphql_deployments(real_data / "recorded")]
    assert len(found) == 7
    rows = [one.record(7) for one in found]
    statuses = [status.record(7, one.id) for one in found for status in one.statuses]
    with warehouse.begin() as connection:
        assert upsert(connection, rows, PEOPLE) == 7
        assert upsert(connection, statuses, PEOPLE) == len(statuses) == 6
        largest = connection.execute(sa.text("select max(deployment_id) from raw.deployments")).scalar_one()
    assert largest > 2**31  # GitHub's own ids have outgrown 32 bits
    assert {status.state for status in statuses} >= {"success", "inactive", "in_progress"}
