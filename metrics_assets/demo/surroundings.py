"""What surrounds the code of the sample organisation: discussions, milestones, builds, traffic and the like.

It is thrown with dice of its own, so that nothing of what `simulation` makes depends on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from metrics_assets.demo import people, wording
from metrics_assets.demo.dice import END, START, Dice, any_day, at
from metrics_assets.demo.forms import review_number
from metrics_assets.demo.history import (
    Commit,
    Contributor,
    DependabotAlert,
    Discussion,
    DiscussionComment,
    Issue,
    Job,
    Milestone,
    PullRequest,
    Release,
    ReleaseAsset,
    Repository,
    ReviewComment,
    SecurityAdvisory,
    TrafficDay,
    TrafficSource,
    User,
    WorkflowRun,
    stable_number,
)

CATEGORIES = (("Q&A", True), ("Q&A", True), ("Ideas", False), ("General", False), ("Show and tell", False))
JOBS = {"CI": ("lint", "test (3.12)", "test (3.13)"), "Nightly": ("end-to-end",)}
SITES = ("github.com", "Google", "news.ycombinator.com", "reddit.com", "stackoverflow.com", "duckduckgo.com")
SEVERITIES = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """How much of each a repository has; who asks has `permission`."""

    team: tuple[User, ...]
    public: tuple[User, ...] = ()
    permission: str = "READ"
    discussions: int = 0
    milestones: tuple[tuple[str, date, date], ...] = ()  # title, first day, day on which it is due
    builds: bool = True
    flaky: float = 0.08  # share of builds that fail
    advisories: int = 0
    alerts: int = 0
    visitors: int = 0  # a day


def surrounded(repository: Repository, about: Surroundings) -> Repository:
    """The repository with what surrounds its code."""
    return replace(
        _with_milestones(repository, about),
        permission=about.permission,
        commits=_with_lines(repository),
        releases=tuple(_with_assets(repository, release) for release in repository.releases),
        discussions=_discussions(repository, about),
        review_comments=tuple(_review_comments(repository, about)),
        workflow_runs=_runs(repository, about) if about.builds else (),
        contributors=_outsiders(repository) if about.public else (),
        security_advisories=_advisories(repository, about),
        dependabot_alerts=_alerts(repository, about),
        traffic=_traffic(repository, about),
        referrers=_sources(repository, about, SITES),
        popular_paths=_sources(repository, about, _paths(repository)),
    )


def _dice(repository: Repository, of: str) -> Dice:
    return Dice(f"{repository.full_name}: {of}")


# --- issues and pull requests ---


def _with_milestones(repository: Repository, about: Surroundings) -> Repository:
    """Half of what was opened while a milestone was worked on belongs to it; the milestone is closed when due."""
    dice = _dice(repository, "milestones")
    spans = [(number, *_span(one)) for number, one in enumerate(about.milestones, 1)]

    def of(item: Issue | PullRequest) -> int | None:
        opened = item.created_at or item.updated_at
        fitting = [number for number, first, due in spans if first <= opened < due]
        return fitting[0] if fitting and dice.chance(0.5) else None

    pulls = tuple(replace(pull, milestone=of(pull)) for pull in repository.pull_requests)
    issues = tuple(replace(issue, milestone=of(issue)) for issue in repository.issues)
    items: list[Issue | PullRequest] = [*pulls, *issues]
    milestones = []
    for number, (title, first, due) in enumerate(about.milestones, 1):
        created, due_at = at(first, 9), at(due, 8)
        closed_at = due_at + dice.minutes(100, 4000) if due_at < END - timedelta(days=4) else None
        touched = [item.updated_at for item in items if item.milestone == number]
        milestones.append(
            Milestone(
                number=number,
                title=title,
                description=f"What has to be in {title}.",
                state="CLOSED" if closed_at else "OPEN",
                created_at=created,
                updated_at=closed_at or max([created, *touched]),
                due_on=due_at,
                closed_at=closed_at,
            )
        )
    return replace(repository, pull_requests=pulls, issues=issues, milestones=tuple(milestones))


def _span(milestone: tuple[str, date, date]) -> tuple[datetime, datetime]:
    return at(milestone[1], 9), at(milestone[2], 8)


def _review_comments(repository: Repository, about: Surroundings) -> Iterator[ReviewComment]:
    """Remarks on lines, most of them of reviews that ask for something, and answers to some."""
    dice = _dice(repository, "review comments")
    for pull in repository.pull_requests:
        end = min(pull.closed_at or END, END)
        for index, event in enumerate(pull.timeline):
            if event.kind != "PullRequestReview":
                continue
            for part in range(dice.few(0.4) if event.state == "APPROVED" else 1 + min(dice.few(1.5), 6)):
                first = ReviewComment(
                    id=stable_number(f"{repository.full_name} remark {pull.number} {index} {part}"),
                    number=pull.number,
                    review_id=review_number(repository.full_name, pull.number, index),
                    author=event.actor,
                    path=f"src/{dice.pick(wording.SUBJECTS[repository.name]).replace(' ', '_')}.txt",
                    created_at=event.at,
                    updated_at=event.at,
                )
                yield first
                answered_at = event.at + dice.minutes(5, 900)
                if dice.chance(0.55) and answered_at < end:
                    edited = dice.chance(0.05) and answered_at + timedelta(minutes=2) < end
                    yield replace(
                        first,
                        id=stable_number(f"answer to {first.id}"),
                        review_id=stable_number(f"review of the answer to {first.id}"),
                        in_reply_to=first.id,
                        author=pull.author,
                        created_at=answered_at,
                        updated_at=answered_at + timedelta(minutes=2) if edited else answered_at,
                    )


def _discussions(repository: Repository, about: Surroundings) -> tuple[Discussion, ...]:
    """Questions and ideas; their numbers are those before the first issue."""
    dice = _dice(repository, "discussions")
    numbers = [pull.number for pull in repository.pull_requests] + [issue.number for issue in repository.issues]
    first = min(numbers, default=about.discussions + 1) - about.discussions
    times = dice.moments(about.discussions, START, END, any_day) if about.discussions else []
    return tuple(_discussion(dice, repository, about, first + n, time) for n, time in enumerate(times))


def _discussion(
    dice: Dice, repository: Repository, about: Surroundings, number: int, opened_at: datetime
) -> Discussion:
    category, is_answerable = dice.pick(CATEGORIES)
    author = None if dice.chance(0.05) else dice.pick(about.public or about.team)
    comments: list[DiscussionComment] = []
    time = opened_at
    for part in range(min(dice.few(2.5), 12)):
        time += dice.hours(9) + timedelta(minutes=2)
        if time >= END:
            break
        identity = stable_number(f"{repository.full_name} discussion {number} comment {part}")
        replies: list[DiscussionComment] = []
        for answer in range(min(dice.few(0.7), 5)):
            time += dice.hours(3) + timedelta(minutes=1)
            if time >= END:
                break
            talker = dice.pick([*about.team, author])
            reply = stable_number(f"reply {answer} to {identity}")
            replies.append(DiscussionComment(id=reply, author=talker, created_at=time))
        talker = dice.pick(about.team if dice.chance(0.6) else about.public or about.team)
        created_at = replies[0].created_at - timedelta(minutes=1) if replies else time
        comments.append(DiscussionComment(id=identity, author=talker, created_at=created_at, replies=tuple(replies)))
    latest = max([opened_at, *(reply.created_at for one in comments for reply in (one, *one.replies))])
    chosen = dice.pick(comments) if is_answerable and comments and dice.chance(0.6) else None
    chosen_at = min(latest + dice.minutes(5, 3000), END - timedelta(minutes=1)) if chosen else None
    updated_at = chosen_at or latest
    closed_at = updated_at if dice.chance(0.15) else None
    subject = dice.pick(wording.SUBJECTS[repository.name])
    return Discussion(
        number=number,
        title=f"How to use {subject}?" if is_answerable else f"About {subject}",
        category=category,
        is_answerable=is_answerable,
        author=author,
        created_at=opened_at,
        updated_at=updated_at,
        closed_at=closed_at,
        answer=chosen.id if chosen else None,
        answer_chosen_at=chosen_at,
        upvotes=1 + dice.few(2),
        comments=tuple(comments),
    )


# --- git and builds ---


def _with_lines(repository: Repository) -> tuple[Commit, ...]:
    """Commits with their lines; a squashed pull request has its own, a merge none."""
    dice = _dice(repository, "lines")
    squashed = {pull.merge_sha: pull for pull in repository.pull_requests if pull.merge_sha}
    changed = []
    for commit in repository.commits:
        additions, deletions = 1 + dice.few(30), dice.few(14)
        if len(commit.parents) > 1:
            additions = deletions = 0
        elif pull := squashed.get(commit.sha):
            additions, deletions = pull.additions or 0, pull.deletions or 0
        changed.append(replace(commit, additions=additions, deletions=deletions))
    return tuple(changed)


def _with_assets(repository: Repository, release: Release) -> Release:
    if release.published_at is None:
        return release
    dice = _dice(repository, f"files of {release.tag}")
    version = release.tag.removeprefix("v")
    days = (END - release.published_at).days
    names = (f"{repository.name}-{version}.tar.gz", f"{repository.name}-{version}-py3-none-any.whl", "SHA256SUMS")
    assets = tuple(
        ReleaseAsset(
            id=stable_number(f"{release.id} {name}"),
            name=name,
            size=dice.whole(20_000, 900_000),
            downloads=round(days * dice.between(0.5, 30)),
            created_at=release.published_at - timedelta(minutes=1),
        )
        for name in names
    )
    return replace(release, assets=assets)


def _runs(repository: Repository, about: Surroundings) -> tuple[WorkflowRun, ...]:
    """A build for each commit of the default branch and each pull request's last commit, and one every night."""
    dice = _dice(repository, "builds")
    on_branch = _first_parents(repository)
    wanted: list[tuple[datetime, str, str, str | None, str, User | None]] = [
        (commit.committed_at, "CI", "push", repository.default_branch, commit.sha, commit.author)
        for commit in on_branch
        if commit.committed_at >= START
    ]
    for pull in repository.pull_requests:
        opened = pull.created_at or pull.updated_at
        if opened >= START and pull.head_sha:
            branch = f"change-{pull.number}"
            wanted.append((opened + timedelta(seconds=9), "CI", "pull_request", branch, pull.head_sha, pull.author))
    newest = sorted(on_branch, key=lambda commit: commit.committed_at)
    if not repository.is_archived and newest:
        for night in (START + timedelta(days=n, hours=2) for n in range((END - START).days)):
            sha = next((commit.sha for commit in reversed(newest) if commit.committed_at <= night), newest[0].sha)
            wanted.append((night, "Nightly", "schedule", repository.default_branch, sha, None))
    wanted.sort(key=lambda run: (run[0], run[1], run[4]))
    numbers = dict.fromkeys(JOBS, 0)
    runs = []
    for what in wanted:
        name = what[1]
        numbers[name] += 1
        runs.append(_run(dice, repository, about, what, numbers[name]))
    return tuple(runs)


def _first_parents(repository: Repository) -> list[Commit]:
    """The commits that the default branch pointed to, newest first."""
    by_sha = {commit.sha: commit for commit in repository.commits}
    found: list[Commit] = []
    sha: str | None = repository.head
    while sha:
        found.append(by_sha[sha])
        sha = by_sha[sha].parents[0] if by_sha[sha].parents else None
    return found


def _run(
    dice: Dice,
    repository: Repository,
    about: Surroundings,
    what: tuple[datetime, str, str, str | None, str, User | None],
    number: int,
) -> WorkflowRun:
    time, name, event, branch, sha, actor = what
    identity = stable_number(f"{repository.full_name} run {name} {number}")
    started = time + timedelta(seconds=dice.whole(2, 90))
    failing = dice.weighted([1.0] * len(JOBS[name])) if dice.chance(about.flaky) else None
    jobs = []
    for position, job in enumerate(JOBS[name]):
        took = dice.minutes(1, 9)
        jobs.append(
            Job(
                id=stable_number(f"{identity} job {job}"),
                name=job,
                status="completed",
                conclusion="failure" if position == failing else "success",
                started_at=started,
                completed_at=started + took,
            )
        )
    ended = max(job.completed_at for job in jobs if job.completed_at)
    if ended >= END:  # still at it when the history ends
        jobs = [replace(job, status="in_progress", conclusion=None, completed_at=None) for job in jobs]
    cancelled = dice.chance(0.02)
    conclusion = "cancelled" if cancelled else "failure" if failing is not None else "success"
    return WorkflowRun(
        id=identity,
        workflow_id=stable_number(f"{repository.full_name} workflow {name}"),
        name=name,
        number=number,
        attempt=2 if failing is None and dice.chance(0.04) else 1,
        event=event,
        branch=branch,
        sha=sha,
        status="in_progress" if ended >= END else "completed",
        conclusion=None if ended >= END else conclusion,
        actor=actor,
        created_at=time,
        started_at=started,
        updated_at=min(ended, END),
        jobs=tuple(jobs),
    )


def _outsiders(repository: Repository) -> tuple[Contributor, ...]:
    """People whose commits are older than what is played, two of them without an account."""
    dice = _dice(repository, "contributors")
    accounts = tuple(Contributor(commits=dice.whole(1, 40), user=user) for user in people.strangers(6, first=900))
    names = ("Old Hand", "Early Bird")
    return accounts + tuple(
        Contributor(commits=dice.whole(1, 9), name=name, email=f"{name.split()[0].lower()}@old.example")
        for name in names
    )


# --- security and traffic ---


def _ghsa(text: str) -> str:
    digest = hashlib.sha1(text.encode()).hexdigest()
    return f"GHSA-{digest[:4]}-{digest[4:8]}-{digest[8:12]}"


def _advisories(repository: Repository, about: Surroundings) -> tuple[SecurityAdvisory, ...]:
    dice = _dice(repository, "advisories")
    states = ("published", "withdrawn", "draft")
    found = []
    for number, time in enumerate(dice.moments(about.advisories, START, END - timedelta(days=10), any_day)):
        state = states[number % 3]
        published = time + dice.minutes(600, 9000) if state != "draft" else None
        withdrawn = published + dice.minutes(600, 3000) if published and state == "withdrawn" else None
        found.append(
            SecurityAdvisory(
                ghsa_id=_ghsa(f"{repository.full_name} {number}"),
                cve_id=f"CVE-2025-{dice.whole(10000, 60000)}" if published else None,
                summary=f"{dice.pick(wording.SUBJECTS[repository.name])} trusts its input".capitalize(),
                severity=dice.pick(SEVERITIES),
                state="withdrawn" if withdrawn else state,
                created_at=time,
                updated_at=withdrawn or published or time,
                published_at=published,
                withdrawn_at=withdrawn,
            )
        )
    return tuple(found)


def _alerts(repository: Repository, about: Surroundings) -> tuple[DependabotAlert, ...]:
    dice = _dice(repository, "alerts")
    found = []
    for number, time in enumerate(dice.moments(about.alerts, START, END, any_day), 1):
        package = dice.pick(wording.PACKAGES)
        ended = time + dice.hours(150) + timedelta(hours=1)
        state = ("fixed", "fixed", "fixed", "dismissed", "open")[dice.whole(0, 4)] if ended < END else "open"
        found.append(
            DependabotAlert(
                number=number,
                state=state,
                ghsa_id=_ghsa(f"{package} {time}"),
                severity=dice.pick(SEVERITIES),
                ecosystem="npm" if package in ("lodash", "eslint", "vite", "rollup", "axios") else "pip",
                package=package,
                created_at=time,
                updated_at=time if state == "open" else ended,
                fixed_at=ended if state == "fixed" else None,
                dismissed_at=ended if state == "dismissed" else None,
            )
        )
    return tuple(found)


def _traffic(repository: Repository, about: Surroundings) -> tuple[TrafficDay, ...]:
    """Sixty days, of which the server shows the last two weeks."""
    dice = _dice(repository, "traffic")
    days = []
    for number in range(60 if about.visitors else 0):
        day = END.date() - timedelta(days=60 - number)
        visitors = max(round(about.visitors * any_day(day) * dice.between(0.6, 1.5)), 1)
        cloners = max(round(visitors * dice.between(0.05, 0.3)), 1)
        days.append(
            TrafficDay(
                date=day,
                visitors=visitors,
                views=visitors + dice.whole(0, visitors * 3),
                cloners=cloners,
                clones=cloners + dice.whole(0, cloners * 4),
            )
        )
    return tuple(days)


def _sources(repository: Repository, about: Surroundings, names: Sequence[str]) -> tuple[TrafficSource, ...]:
    dice = _dice(repository, f"visits of {names[0]}")
    found = []
    for rank, name in enumerate(names if about.visitors else (), 1):
        visitors = max(round(about.visitors * 5 * dice.between(0.5, 1) / rank), 1)
        found.append(TrafficSource(name, visitors + dice.whole(0, visitors * 2), visitors))
    return tuple(sorted(found, key=lambda source: (-source.views, source.name)))


def _paths(repository: Repository) -> tuple[str, ...]:
    root = f"/{repository.full_name}"
    return (root, f"{root}/issues", f"{root}/pulls", f"{root}/releases", f"{root}/blob/main/README.md")
