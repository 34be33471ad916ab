"""Answers that GitHub really gave, from ../shared/data/recorded, as the records that our models make of them."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

from metrics_assets.sources import records
from metrics_assets.sources.asking import parse
from metrics_assets.sources.github import answers
from metrics_assets.sources.records import Record

# Written by hand for a test of hub4j's, with a few fields only.
_MADE_UP = {"GHWorkflowRunTest.testRerunVariants"}
_OBSERVED = datetime(2025, 1, 1, tzinfo=UTC)
_ROOT = re.compile(r"^(?:/repos/([^/]+/[^/]+)|/repositories/(\d+))(/.*)?$")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answer: which repository's, the path below it, and the content."""

    where: str
    repository: str
    path: str
    body: Any


def recorded(folder: Path) -> Iterator[Recorded]:
    """Every good REST answer about a repository: hub4j's and octokit's exchanges, DevLake's bodies."""
    for name in ("hub4j_github_api.jsonl.gz", "octokit_fixtures.jsonl.gz"):
        for line in lines(folder / name):
            if line.get("scenario") in _MADE_UP:
                continue
            request, response = line["request"], line["response"]
            path = request["path"].split("?")[0]
            if re.fullmatch(r"/orgs/[^/]+/repos", path):
                for one in response["body"]:
                    yield Recorded(f"{name} {path}", one["full_name"], "", one)
            if (found := _ROOT.match(path)) and 200 <= response["status"] < 300 and response["body"]:
                repository = found.group(1) or found.group(2)
                yield Recorded(f"{name} {path}", repository, (found.group(3) or "").rstrip("/"), response["body"])
    for file in sorted((folder / "devlake_ants").glob("*.jsonl.gz")):
        for line in lines(file):
            if (found := re.search(r"/repos/([^/]+/[^/]+)(/[^?]*)", line["url"])) and isinstance(line["body"], dict):
                yield Recorded(f"{file.name} {found.group(0)}", found.group(1), found.group(2), [line["body"]])


def graphql_deployments(folder: Path) -> list[dict[str, Any]]:
    """DevLake's deployments, which were asked for with other names, under the names that our query gives them."""
    return [
        {
            "node_id": body["Id"],
            "id": body["DatabaseId"],
            "sha": body["CommitOid"],
            "ref": {"name": body["Ref"]["Name"]} if body["Ref"] else None,
            "environment": body["Environment"],
            "task": body["Task"],
            "creator": None,
            "created_at": body["CreatedAt"],
            "updated_at": body["UpdatedAt"],
            "statuses": {
                "nodes": [
                    {"node_id": f"{body['Id']}/{number}", "state": one["state"], "created_at": one["updatedAt"]}
                    for number, one in enumerate((body.get("Statuses") or {"nodes": []})["nodes"])
                ]
            },
        }
        for body in (line["body"] for line in lines(folder / "devlake_ants" / "graphql_deployment.jsonl.gz"))
    ]


def records_of(answer: Recorded, repository_id: int) -> tuple[str, list[Record]] | None:
    """The entity that an answer belongs to and its records; None where it belongs to none of ours."""
    for pattern, entity, read in _ENTITIES:
        if found := re.fullmatch(pattern, answer.path):
            items = answer.body if isinstance(answer.body, list) else [answer.body]
            return entity, [
                record
                for item in items
                for record in read(item, repository_id, int(found.group(1)) if found.groups() else None, answer.where)
            ]
    return None


def people_in(content: Any) -> set[str]:
    """Every login and e-mail address in an answer, wherever it stands; organizations are no people."""
    found: set[str] = set()
    if isinstance(content, dict):
        if isinstance(content.get("login"), str) and content.get("type", "User") == "User":
            found.add(content["login"])
        found |= {value for key, value in content.items() if key == "email" and isinstance(value, str) and value}
        found = found.union(*(people_in(value) for value in content.values()))
    elif isinstance(content, list):
        found = found.union(*(people_in(value) for value in content))
    return found


def lines(file: Path) -> Iterator[Any]:
    """The lines of a recorded file."""
    with gzip.open(file, "rt", encoding="utf-8") as text:
        yield from map(json.loads, text)


Read = Callable[[Any, int, "int | None", str], list[Record]]


def _repository(item: Any, _: int, __: int | None, where: str) -> list[Record]:
    found = parse(answers.Repository, item, where)
    return [found.record("archived" if found.archived else "active"), found.counters(_OBSERVED)]


def _one(model: Any, item: Any, repository_id: int, _: int | None, where: str) -> list[Record]:
    record = parse(model, item, where).record(repository_id)
    return [record] if record is not None else []


def _issue(item: Any, repository_id: int, _: int | None, where: str) -> list[Record]:
    found = parse(answers.Issue, item, where)
    return [] if found.pull_request else [found.record(repository_id)]


def _review(item: Any, repository_id: int, number: int | None, where: str) -> list[Record]:
    record = parse(answers.Review, item, where).record(repository_id, cast(int, number))
    return [record] if record is not None else []


def _event(item: Any, repository_id: int, number: int | None, where: str) -> list[Record]:
    about = number or (item.get("issue") or {}).get("number", 0)
    return [parse(answers.TimelineItem, item, where).record(repository_id, about, records.IssueEvent)]


def _commit(item: Any, repository_id: int, _: int | None, where: str) -> list[Record]:
    return [parse(answers.Commit, item, where).record(repository_id, on_default_branch=True)]


def _status(item: Any, repository_id: int, number: int | None, where: str) -> list[Record]:
    return [parse(answers.DeploymentStatus, item, where).record(repository_id, cast(int, number))]


def _release(item: Any, repository_id: int, _: int | None, where: str) -> list[Record]:
    found = parse(answers.Release, item, where)
    return [found.record(repository_id), *found.asset_records(repository_id, _OBSERVED.date())]


def _runs(item: Any, repository_id: int, _: int | None, where: str) -> list[Record]:
    if "workflow_runs" in item:
        return [run.record(repository_id) for run in parse(answers.WorkflowRuns, item, where).workflow_runs]
    return [parse(answers.WorkflowRun, item, where).record(repository_id)]


def _jobs(item: Any, repository_id: int, run: int | None, where: str) -> list[Record]:
    if "jobs" in item:
        return [job.record(repository_id, cast(int, run)) for job in parse(answers.WorkflowJobs, item, where).jobs]
    return [parse(answers.WorkflowJob, item, where).record(repository_id, int(item["run_id"]))]


def _traffic(item: Any, repository_id: int, _: int | None, where: str) -> list[Record]:
    if "views" in item:
        viewed = parse(answers.Views, item, where).views
        return [records.TrafficDay(repository_id, day.timestamp.date(), day.count, day.uniques, None, None)
                for day in viewed]  # fmt: skip
    cloned = parse(answers.Clones, item, where).clones
    return [records.TrafficDay(repository_id, day.timestamp.date(), None, None, day.count, day.uniques)
            for day in cloned]  # fmt: skip


def _source(kind: str, item: Any, repository_id: int, _: int | None, where: str) -> list[Record]:
    day = _OBSERVED.date()
    if kind == "path":
        path = parse(answers.PopularPath, item, where)
        return [records.TrafficSource(repository_id, day, kind, path.path, path.count, path.uniques)]
    found = parse(answers.Referrer, item, where)
    return [records.TrafficSource(repository_id, day, kind, found.referrer, found.count, found.uniques)]


_ENTITIES: tuple[tuple[str, str, Read], ...] = (
    (r"", "repositories", _repository),
    (r"/pulls(?:/\d+)?|/commits/[0-9a-f]{40}/pulls", "pull_requests", partial(_one, answers.PullRequest)),
    (r"/pulls/(\d+)/reviews", "reviews", _review),
    (r"/issues(?:/\d+)?", "issues", _issue),
    (r"/issues/events(?:/\d+)?", "issue_events", _event),
    (r"/issues/(\d+)/events", "issue_events", _event),
    (r"/commits(?:/[0-9a-f]{40})?", "commits", _commit),
    (r"/pulls/\d+/commits", "commits", _commit),
    (r"/releases(?:/\d+|/latest|/tags/[^/]+)?", "releases", _release),
    (r"/tags", "tags", partial(_one, answers.Tag)),
    (r"/deployments(?:/\d+)?", "deployments", partial(_one, answers.Deployment)),
    (r"/deployments/(\d+)/statuses", "deployment_statuses", _status),
    (r"/stargazers", "stargazers", partial(_one, answers.Stargazer)),
    (r"/forks", "forks", partial(_one, answers.Fork)),
    (r"/pulls(?:/\d+)?/comments(?:/\d+)?|/pulls/\d+/reviews/\d+/comments", "review_comments",
     partial(_one, answers.ReviewComment)),
    (r"/milestones(?:/\d+)?", "milestones", partial(_one, answers.Milestone)),
    (r"/actions/runs(?:/\d+)?|/actions/workflows/\d+/runs", "workflow_runs", _runs),
    (r"/actions/runs/(\d+)/jobs", "workflow_jobs", _jobs),
    (r"/actions/jobs/\d+", "workflow_jobs", _jobs),
    (r"/contributors", "contributors", partial(_one, answers.Contributor)),
    (r"/traffic/(?:views|clones)", "traffic", _traffic),
    (r"/traffic/popular/referrers", "traffic_sources", partial(_source, "referrer")),
    (r"/traffic/popular/paths", "traffic_sources", partial(_source, "path")),
)  # fmt: skip
