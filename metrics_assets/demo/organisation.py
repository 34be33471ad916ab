"""The sample organisation: eight repositories with different habits, from 2025-06-01 to 2025-12-31.

Two things go wrong in its last week (from 2025-12-25), so that there is something to see: `aurora/billing`
ships changes that have waited far longer than usual, and `aurora/search` deploys far less often than before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from metrics_assets.demo import people, plans
from metrics_assets.demo.dice import NOW, START, Dice, any_day, at
from metrics_assets.demo.history import Event, History, Release, Repository, Star, Tag
from metrics_assets.demo.people import DEPENDABOT, RENOVATE, TEAMS
from metrics_assets.demo.plans import Habits, IssuePlan, PullPlan
from metrics_assets.demo.simulation import Landing, Rollout, Simulation, forks, stars
from metrics_assets.demo.surroundings import Surroundings, surrounded

__all__ = ["TEAMS", "sample_organisation"]

ORIGIN = datetime(2025, 4, 1, tzinfo=UTC)  # of the commits that were there before the history starts

QUARTERS = (
    ("2025 Q3", date(2025, 7, 1), date(2025, 9, 30)),
    ("2025 Q4", date(2025, 10, 1), date(2025, 12, 23)),
    ("2026 Q1", date(2025, 12, 15), date(2026, 3, 31)),
)
VERSIONS = (
    ("1.5", date(2025, 6, 12), date(2025, 7, 22)),
    ("1.6", date(2025, 7, 23), date(2025, 9, 9)),
    ("1.7", date(2025, 9, 10), date(2025, 10, 13)),
    ("1.8", date(2025, 10, 14), date(2025, 11, 12)),
    ("2.0", date(2025, 11, 13), date(2026, 1, 20)),
)
SURROUNDINGS = {
    "api": Surroundings(
        team=people.team("platform"),
        public=people.strangers(40),
        permission="ADMIN",
        discussions=14,
        milestones=QUARTERS,
        advisories=1,
        alerts=22,
        visitors=60,
    ),
    "web": Surroundings(
        team=people.team("web"), permission="ADMIN", milestones=QUARTERS, flaky=0.15, alerts=30, visitors=40
    ),
    "billing": Surroundings(team=people.team("payments"), permission="ADMIN", alerts=12, visitors=4),
    "search": Surroundings(team=people.team("discovery"), permission="MAINTAIN", milestones=QUARTERS, visitors=15),
    "aurora-py": Surroundings(
        team=people.team("platform"),
        public=people.strangers(140, first=60),
        permission="ADMIN",
        discussions=75,
        milestones=VERSIONS,
        advisories=4,
        alerts=9,
        visitors=310,
    ),
    "toolkit": Surroundings(
        team=people.team("platform"),
        public=people.strangers(45, first=150),
        permission="WRITE",
        discussions=18,
        visitors=12,
    ),
    "legacy": Surroundings(team=people.team("platform")[:3]),
}


def sample_organisation() -> History:
    """The organisation `aurora`, the same on every call."""
    makers = (_api, _web, _billing, _search, _aurora_py, _toolkit, _legacy)
    made = [make() for make in makers]
    repositories = (*(surrounded(one, SURROUNDINGS[one.name]) for one in made), _sandbox())
    return History(now=NOW, repositories=repositories, renamed={"aurora/gateway": "aurora/api"})


def _simulation(habits: Habits, first_number: int, base: int = 40) -> Simulation:
    """A repository in the making, with commits from before the history starts."""
    simulation = Simulation(habits, Dice(f"aurora/{habits.name}"), first_number)
    simulation.push(ORIGIN, "Initial commit")
    simulation.pushes(base, ORIGIN + timedelta(days=1), START, "Step")
    return simulation


def _finish(simulation: Simulation) -> None:
    simulation.build()
    simulation.resolve()


def _planned(
    hours: Sequence[float], share: float, dice: Dice, last_days: Mapping[int, Sequence[float]]
) -> Callable[[date], Sequence[float]]:
    """Deployment hours of weekdays, each used on a share of the days; the days of late December are given."""

    def of(day: date) -> Sequence[float]:
        if (day.month, day.day) >= (12, 18):
            return last_days.get(day.day, ())
        return [hour for hour in hours if day.weekday() < 5 and dice.chance(share)]

    return of


def _api() -> Repository:
    habits = Habits(
        name="api",
        team=people.team("platform"),
        pull_requests=430,
        issues=190,
        squash=True,
        coding=7,
        review=5,
        merging=2.5,
        answer=9,
        strangers=people.strangers(40),
        by_strangers=0.1,
        bots=(DEPENDABOT, RENOVATE),
        by_bots=0.2,
        robot_reviews=0.4,
    )
    life = _simulation(habits, 1204)
    life.add(_waiting_since_spring(habits))
    life.pull_requests()
    life.pushes(25, START, NOW - timedelta(days=1), "Configuration")
    late = {18: (10, 14.5), 19: (10, 13), 22: (10, 14.5), 23: (11,), 24: (10,)}
    late |= {26: (14,), 29: (10, 14.5), 30: (10, 14.5), 31: (11,)}
    life.deployments("staging", _planned((9.25, 13.5), 0.85, life.dice, late), failing=0.06)
    life.deployments("production", _planned((10.5, 15), 0.85, life.dice, late), failing=0.04, retried=0.02)
    life.incidents(0.14, rollbacks=4)
    life.ordinary_issues()
    plans.long_thread(life.dice, life.pulls[200], 130, habits.team)
    _finish(life)
    dice = life.dice
    return life.repository(
        created_at=datetime(2023, 2, 6, 9, 12, tzinfo=UTC),
        description="The public HTTP interface of Aurora.",
        language="Go",
        license="Apache-2.0",
        topics=("http", "service"),
        watchers=21,
        stars=stars(dice, 340, datetime(2023, 2, 6, tzinfo=UTC), before=120),
        forks=forks(dice, "api", 30),
    )


def _waiting_since_spring(habits: Habits) -> PullPlan:
    """A pull request from before the history that is still open at its end."""
    opened_at = datetime(2025, 3, 14, 15, 20, 5, tzinfo=UTC)
    author, reviewer = habits.team[0], habits.team[1]
    return PullPlan(
        title="Replace the session store",
        author=author,
        opened_at=opened_at,
        first_commit_at=opened_at - timedelta(days=3),
        commits=9,
        events=[
            Event("PullRequestReview", opened_at + timedelta(days=4), reviewer, state="CHANGES_REQUESTED"),
            Event("IssueComment", datetime(2025, 9, 3, 10, 4, tzinfo=UTC), author),
        ],
    )


def _web() -> Repository:
    habits = Habits(
        name="web",
        team=people.team("web"),
        pull_requests=480,
        issues=170,
        squash=False,
        coding=2.5,
        review=0.7,
        merging=0.4,
        answer=4,
        strangers=people.strangers(30, first=20),
        by_strangers=0.08,
        bots=(RENOVATE,),
        by_bots=0.12,
        robot_reviews=0.2,
    )
    life = _simulation(habits, 2310)
    life.pull_requests()
    life.pushes(30, START, NOW - timedelta(days=1), "Copy")
    late = {18: (9.5, 12, 15), 19: (9.5, 11.5, 14), 22: (9.5, 11.5, 13.5, 15), 23: (10, 12, 14), 24: (10, 12)}
    late |= {26: (10, 14), 29: (9.5, 11.5, 13.5, 15), 30: (9.5, 12, 15), 31: (10, 12)}
    hours = _planned((9.25, 10.25, 11.25, 12.5, 13.5, 14.5, 15.5, 16.5, 17.5), 0.9, life.dice, late)
    life.deployments("production", hours, failing=0.015)
    life.incidents(0.035)
    life.ordinary_issues()
    _finish(life)
    dice = life.dice
    return life.repository(
        created_at=datetime(2023, 3, 1, 8, 30, tzinfo=UTC),
        description="The web application.",
        language="TypeScript",
        license="MIT",
        topics=("frontend",),
        watchers=17,
        stars=stars(dice, 300, datetime(2023, 3, 1, tzinfo=UTC), before=90),
        forks=forks(dice, "web", 25),
    )


def _billing() -> Repository:
    habits = Habits(
        name="billing",
        team=people.team("payments"),
        pull_requests=165,
        issues=85,
        squash=True,
        coding=18,
        review=18,
        merging=6,
        answer=20,
        bots=(DEPENDABOT,),
        by_bots=0.1,
        unmerged=0.05,
    )
    life = _simulation(habits, 610)
    life.pull_requests(end=datetime(2025, 12, 22, tzinfo=UTC))
    freeze = datetime(2025, 12, 23, 9, tzinfo=UTC)
    life.landings = [landing for landing in life.landings if landing.at < freeze]
    for pull in life.pulls:
        if pull.merged_at and pull.merged_at >= freeze:
            pull.events = [event for event in pull.events if event.at < freeze and event.kind != "ClosedEvent"]
    for number in range(14):
        life.add(_ledger_change(life.dice, habits, number))
    life.pushes(6, START, freeze, "Rates")
    life.deployments("production", lambda day: (10,) if day.weekday() == 1 else (), retried=0.05)
    life.incidents(0.17)
    life.ordinary_issues()
    _finish(life)
    return life.repository(
        created_at=datetime(2023, 5, 22, 11, 0, tzinfo=UTC),
        description="Invoices, payments and taxes.",
        language="Java",
        is_private=True,
        watchers=6,
        stars=stars(life.dice, 12, datetime(2023, 5, 22, tzinfo=UTC)),
    )


def _ledger_change(dice: Dice, habits: Habits, number: int) -> PullPlan:
    """A part of the new ledger: written in November, merged only just before the year's last deployment."""
    first_commit_at = dice.moment(date(2025, 11, 2) + timedelta(days=number)) - timedelta(hours=2)
    opened_at = first_commit_at + dice.minutes(600, 4000)
    author = habits.team[number % len(habits.team)]
    reviewer = habits.team[(number + 1) % len(habits.team)]
    merged_at = datetime(2025, 12, 26 if number < 4 else 29, 9, 30, tzinfo=UTC) + timedelta(minutes=29 * number)
    events = [
        Event("PullRequestReview", opened_at + dice.hours(60, 0.3), reviewer, state="CHANGES_REQUESTED"),
        Event("IssueComment", opened_at + timedelta(days=20), author),
        Event("PullRequestReview", merged_at - dice.minutes(20, 500), reviewer, state="APPROVED"),
        Event("ClosedEvent", merged_at, author),
    ]
    return PullPlan(
        title=f"New ledger, part {number + 1}",
        author=author,
        opened_at=opened_at,
        first_commit_at=first_commit_at,
        commits=dice.whole(3, 14),
        events=events,
        merged_at=merged_at,
        merged_by=author,
        closed_at=merged_at,
    )


def _search() -> Repository:
    habits = Habits(
        name="search",
        team=people.team("discovery"),
        pull_requests=255,
        issues=110,
        squash=False,
        coding=6,
        review=3.5,
        merging=2,
        answer=12,
        bots=(RENOVATE,),
        by_bots=0.1,
        robot_reviews=0.5,
    )
    life = _simulation(habits, 880)
    life.pull_requests()
    life.pushes(150, START, NOW - timedelta(days=1), "Weights")
    late = {
        18: (10, 15),
        19: (10, 14),
        22: (10, 15),
        23: (10, 14.5),
        24: (9.5, 12),
        26: (11,),
        29: (10.5,),
        30: (14,),
    }
    hours = _planned((10, 14.5), 0.85, life.dice, late)
    life.deployments("production", hours, failing=0.08, retried=0.06, safe_from=date(2025, 12, 18))
    life.incidents(0.06)
    life.rollouts.append(Rollout(at=at(date(2025, 12, 31), 15.2), environment="production", states=("IN_PROGRESS",)))
    life.ordinary_issues()
    _finish(life)
    return life.repository(
        created_at=datetime(2023, 9, 4, 7, 45, tzinfo=UTC),
        description="Full-text and semantic search.",
        language="Rust",
        license="Apache-2.0",
        topics=("search",),
        watchers=9,
        stars=stars(life.dice, 130, datetime(2023, 9, 4, tzinfo=UTC), before=40),
        forks=forks(life.dice, "search", 12),
    )


PY_RELEASES = (
    ("1.4.0", date(2025, 6, 11)),
    ("1.4.1", date(2025, 6, 26)),
    ("1.5.0", date(2025, 7, 22)),
    ("1.5.1", date(2025, 8, 14)),
    ("1.6.0", date(2025, 9, 9)),
    ("1.6.1", date(2025, 9, 25)),
    ("1.7.0", date(2025, 10, 13)),
    ("1.7.1", date(2025, 10, 16)),  # takes back a change of 1.7.0
    ("1.8.0", date(2025, 11, 12)),
    ("2.0.0rc1", date(2025, 12, 3)),
    ("1.8.1", date(2025, 12, 9)),
)


def _aurora_py() -> Repository:
    habits = Habits(
        name="aurora-py",
        team=people.team("platform"),
        pull_requests=150,
        issues=260,
        squash=True,
        coding=14,
        review=20,
        merging=10,
        answer=15,
        strangers=people.strangers(140, first=60),
        by_strangers=0.42,
        bots=(DEPENDABOT,),
        by_bots=0.14,
        unmerged=0.14,
        busy=any_day,
    )
    life = _simulation(habits, 340, base=60)
    life.pull_requests()
    life.pushes(18, START, NOW - timedelta(days=1), "Notes")
    marks = [(version, life.push(at(day, 10), f"Release {version}")) for version, day in PY_RELEASES]
    life.revert(_last_pull_before(life, at(date(2025, 10, 13), 10)), at(date(2025, 10, 15), 16.3))
    life.ordinary_issues()
    plans.long_thread(life.dice, life.issues[40], 120, habits.strangers)
    _finish(life)
    created = datetime(2023, 1, 17, 13, 0, tzinfo=UTC)
    dice = life.dice
    grown = stars(dice, 2550, created, before=900, growth=1.5)
    return life.repository(
        created_at=created,
        description="The Python client of Aurora.",
        language="Python",
        license="MIT",
        topics=("python", "client", "http"),
        watchers=64,
        tags=[_annotated(f"v{version}", mark) for version, mark in marks],
        releases=[*(_release(version, mark) for version, mark in marks), _draft(marks[-1][1])],
        stars=(*grown, *_news_day(dice, len(grown))),
        forks=forks(dice, "aurora-py", 150),
    )


def _news_day(dice: Dice, known: int) -> list[Star]:
    """The stars of the two days on which a news site linked to the repository."""
    readers = people.strangers(480, first=7000 + known)
    days = [date(2025, 9, 23) if number < 390 else date(2025, 9, 24) for number in range(len(readers))]
    return [Star(reader, dice.moment(day)) for reader, day in zip(readers, days, strict=True)]


def _last_pull_before(life: Simulation, time: datetime) -> Landing:
    pulls = [one for one in life.landings if one.at < time and one.pull and "dependencies" not in one.pull.labels]
    return max(pulls, key=lambda landing: landing.at)


def _annotated(name: str, mark: Landing) -> Tag:
    tag_object = hashlib.sha1(f"tag {name} {mark.sha}".encode()).hexdigest()
    return Tag(name=name, sha=mark.sha, tagged_at=mark.at + timedelta(minutes=5), tag_object=tag_object)


def _release(version: str, mark: Landing) -> Release:
    return Release(
        id=int(hashlib.sha1(f"release {version}".encode()).hexdigest()[:7], 16),
        tag=f"v{version}",
        name=f"aurora-py {version}",
        author=mark.author,
        is_draft=False,
        is_prerelease="rc" in version,
        created_at=mark.at,
        published_at=mark.at + timedelta(minutes=22),
    )


def _draft(mark: Landing) -> Release:
    return replace(_release("2.0.0", mark), is_draft=True, published_at=None)


def _toolkit() -> Repository:
    habits = Habits(
        name="toolkit",
        team=people.team("platform"),
        pull_requests=62,
        issues=70,
        squash=False,
        coding=16,
        review=40,
        merging=24,
        answer=40,
        strangers=people.strangers(45, first=150),
        by_strangers=0.35,
        unmerged=0.12,
        busy=any_day,
    )
    life = _simulation(habits, 95, base=30)
    life.pull_requests()
    versions = (("0.8.4", 6, 19), ("0.9.0", 8, 5), ("0.9.1", 9, 17), ("0.10.0", 10, 29), ("0.10.1", 12, 4))
    marks = [
        (version, life.push(at(date(2025, month, day), 9), f"Version {version}")) for version, month, day in versions
    ]
    life.ordinary_issues()
    _finish(life)
    tags = [
        _annotated(f"v{version}", mark) if number % 2 else Tag(name=f"v{version}", sha=mark.sha)
        for number, (version, mark) in enumerate(marks)
    ]
    head, maintenance = _maintenance(life, marks[0][1])
    return life.repository(
        created_at=datetime(2024, 1, 9, 16, 0, tzinfo=UTC),
        description="Command-line helpers.",
        language="Python",
        license="MIT",
        watchers=14,
        tags=[*tags, *maintenance],
        branches={"0.8.x": head},
        stars=stars(life.dice, 190, datetime(2024, 1, 9, tzinfo=UTC), before=60),
        forks=forks(life.dice, "toolkit", 28),
    )


def _maintenance(life: Simulation, root: Landing) -> tuple[str, list[Tag]]:
    """A branch for corrections of an old version, and its tags."""
    sha, tags, author = root.sha, [], life.habits.team[2]
    for version, day in (("0.8.5", date(2025, 8, 20)), ("0.8.6", date(2025, 10, 2))):
        for hour, subject in ((9.5, "Backport a correction"), (11, f"Version {version}")):
            sha = life.commit([sha], subject, author, at(day, hour), at(day, hour))
        mark = Landing(at=at(day, 11), author=author, sha=sha)
        tags.append(_annotated(f"v{version}", mark) if version == "0.8.6" else Tag(name=f"v{version}", sha=sha))
    return sha, tags


def _legacy() -> Repository:
    habits = Habits(
        name="legacy",
        team=(*people.team("platform")[:3], people.IMPORTED),
        pull_requests=14,
        issues=16,
        squash=False,
        coding=30,
        review=50,
        merging=20,
        answer=60,
    )
    end = datetime(2025, 7, 12, tzinfo=UTC)
    life = _simulation(habits, 402, base=20)
    life.pull_requests(end=end)
    life.ordinary_issues(end=end)
    _stop(life, datetime(2025, 7, 31, 16, 0, tzinfo=UTC))
    _finish(life)
    return life.repository(
        created_at=datetime(2019, 10, 2, 10, 0, tzinfo=UTC),
        default_branch="master",
        description="The old monolith. Read-only.",
        language="PHP",
        is_archived=True,
        watchers=3,
        stars=stars(life.dice, 20, datetime(2023, 10, 2, tzinfo=UTC), before=18),
    )


def _stop(life: Simulation, end: datetime) -> None:
    """Nothing happens any more: the repository is archived, with what was open then still open."""
    life.landings = [landing for landing in life.landings if landing.at < end]
    plans: list[PullPlan | IssuePlan] = [*life.pulls, *life.issues]
    for plan in plans:
        plan.events = [event for event in plan.events if event.at < end]


def _sandbox() -> Repository:
    return Repository(
        owner="aurora",
        name="sandbox",
        created_at=datetime(2025, 8, 18, 12, 0, tzinfo=UTC),
        description="Nothing here yet.",
        watchers=1,
    )
