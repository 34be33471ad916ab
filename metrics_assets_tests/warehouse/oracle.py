"""What the figures of a day are, in plain Python: loops over a history, no SQL, nothing of the warehouse.

Everything here is asked "as of a day": events at or after the midnight that ends it are never looked at. Written
from the rules of truth and the definitions of the catalogue, to be compared with the SQL that was written from them
too. It knows the sample organisation's habits: no configured source, incidents by label, at most 24 hours of gap.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import pairwise

from metrics_assets.demo.history import Commit, Event, Issue, PullRequest, Repository, User

WINDOW, WEEK, QUARTER = 28, 7, 90
MAXIMUM_GAP = timedelta(hours=24)
RELEASE_TAG = re.compile(r"^v?\d+\.\d+(\.\d+){0,2}$")

Figures = dict[str, object]


@dataclass(frozen=True)
class Shipment:
    """A deployment, or the release or tag that stands for one, as it was known at the end of a day."""

    key: str
    source: str
    version: str | None
    sha: str
    at: datetime
    good: bool


@dataclass(frozen=True)
class Change:
    first_commit_at: datetime
    merged_at: datetime
    sha: str
    is_pull_request: bool


@dataclass(frozen=True)
class Incident:
    number: int
    opened_at: datetime
    closed_at: datetime | None
    cause: Shipment | None


@dataclass(frozen=True)
class Failure:
    deployment: str
    failed_at: datetime
    detected_at: datetime
    restored_at: datetime | None
    restored_by: str | None


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def days_back(day: date, count: int) -> datetime:
    """Where a window of so many days begins that ends with this day."""
    return midnight(day) - timedelta(days=count - 1)


def hours(span: timedelta) -> float:
    return span.total_seconds() / 3600


def quantile(values: Iterable[float], share: float) -> float | None:
    """The quantile with linear interpolation; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median_interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The ends of the median's 95 % interval, by counting how many of n coins fall on one side."""
    ordered, n = sorted(values), len(values)
    below = [sum(math.comb(n, count) for count in range(rank)) for rank in range(n + 1)]
    rank = max((rank for rank in range(n + 1) if below[rank] * 40 <= 2**n), default=0)
    return (ordered[rank - 1], ordered[n - rank]) if rank else (None, None)


def share_interval(part: int, whole: int) -> tuple[float | None, float | None]:
    """Wilson's: the shares from which the one seen is 1.96 standard errors away, as roots of a quadratic equation."""
    if not whole:
        return None, None
    z = 1.959963984540054**2 / whole
    middle, root = 2 * part / whole + z, math.sqrt(z * (z + 4 * part / whole * (1 - part / whole)))
    return (middle - root) / (2 + 2 * z) if part else 0, (middle + root) / (2 + 2 * z) if part < whole else 1


def count_interval(count: int) -> tuple[float, float]:
    """Byar's approximation to the exact limits of a Poisson count."""

    def limit(k: int, z: float) -> float:
        return k * (1 - 1 / (9 * k) + z / (3 * math.sqrt(k))) ** 3

    return limit(count, -1.959963984540054) if count else 0, limit(count + 1, 1.959963984540054)


def is_person(user: User | None) -> bool:
    return user is not None and user.kind != "Bot"


class Oracle:
    """One repository, collected from `start` on."""

    def __init__(self, repository: Repository, start: date) -> None:
        self.repository = repository
        self.start = start
        self.first_day = max(start, repository.created_at.date())
        self.graph = {commit.sha: commit for commit in repository.commits}

    # --- the commit graph ---

    @cached_property
    def mainline(self) -> list[Commit]:
        """The first-parent line of the default branch, newest first, as far as it was collected."""
        line, sha = [], self.repository.head
        while sha is not None and self.graph[sha].committed_at >= midnight(self.start):
            line.append(self.graph[sha])
            sha = line[-1].parents[0] if line[-1].parents else None
        return line

    @cached_property
    def on_default_branch(self) -> list[Commit]:
        head = self.repository.head
        found = self.contained(head) if head else set()
        return [self.graph[sha] for sha in found if self.graph[sha].committed_at >= midnight(self.start)]

    def contained(self, sha: str) -> set[str]:
        """A commit and everything that it stands on."""
        found: set[str] = set()
        waiting = [sha]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting.extend(self.graph[one].parents)
        return found

    # --- DORA ---

    def shipments(self, day: date) -> list[Shipment]:
        """What had ended by the end of the day, oldest first."""
        end = midnight(day) + timedelta(days=1)
        every = [*self._deployments(end), *self._releases(end), *self._tags(end)]
        every = [one for one in every if one.at >= midnight(self.start)]
        first = {
            source: min((one.at.date() for one in every if one.source == source), default=None)
            for source in ("deployments", "releases", "tags")
        }
        chosen, tagged = [], set()
        for one in sorted(every, key=lambda one: (one.at, one.key)):
            better = {"deployments": [], "releases": ["deployments"], "tags": ["deployments", "releases"]}[one.source]
            adopted = [first[source] for source in better]
            if any(known is not None and known <= one.at.date() for known in adopted):
                continue
            if one.source == "releases" and one.version in tagged:
                continue  # shipped already, when tags were all there was
            if one.source == "tags":
                tagged.add(one.version)
            chosen.append(one)
        return chosen

    def _deployments(self, end: datetime) -> Iterable[Shipment]:
        for one in self.repository.deployments:
            if one.environment != "production":
                continue
            good = [status.at for status in one.statuses if status.state == "SUCCESS" and status.at < end]
            bad = [status.at for status in one.statuses if status.state in ("FAILURE", "ERROR") and status.at < end]
            if good or bad:
                versions = [tag.name for tag in self.repository.tags if tag.sha == one.sha]
                yield Shipment(
                    f"deployment:{one.id}",
                    "deployments",
                    min(versions, default=None),
                    one.sha,
                    min(good) if good else min(bad),
                    bool(good),
                )

    def _releases(self, end: datetime) -> Iterable[Shipment]:
        shas = {tag.name: tag.sha for tag in self.repository.tags}
        for one in self.repository.releases:
            if one.published_at and one.published_at < end and not one.is_draft and not one.is_prerelease:
                yield Shipment(f"release:{one.id}", "releases", one.tag, shas[one.tag], one.published_at, True)

    def _tags(self, end: datetime) -> Iterable[Shipment]:
        for one in self.repository.tags:
            at = one.tagged_at or self.graph[one.sha].committed_at
            if RELEASE_TAG.match(one.name) and at < end:
                yield Shipment(f"tag:{one.name}", "tags", one.name, one.sha, at, True)

    def shipped(self, shipments: Sequence[Shipment]) -> dict[str, Shipment]:
        """For each commit the first good shipment that contained it."""
        first: dict[str, Shipment] = {}
        for one in shipments:
            if one.good:
                for sha in self.contained(one.sha):
                    first.setdefault(sha, one)
        return first

    def changes(self, day: date) -> list[Change]:
        """Pull requests merged by the end of the day, and commits that came without one."""
        end = midnight(day) + timedelta(days=1)
        merged = [one for one in self.repository.pull_requests if one.merged_at]
        found = []
        for one in merged:
            assert one.merged_at is not None
            assert one.merge_sha is not None
            assert one.first_commit_authored_at is not None
            if midnight(self.start) <= one.merged_at < end:
                begun = min(one.first_commit_authored_at, one.merged_at)
                found.append(Change(begun, one.merged_at, one.merge_sha, True))
        merges, numbers = {one.merge_sha for one in merged}, {one.number for one in merged}
        for commit in self.mainline:
            named = re.search(r"\(#(\d+)\)\s*$", commit.message.split("\n")[0])
            of_a_pull_request = commit.sha in merges or (named is not None and int(named.group(1)) in numbers)
            if commit.committed_at < end and len(commit.parents) < 2 and not of_a_pull_request:
                found.append(Change(commit.authored_at, commit.committed_at, commit.sha, False))
        return found

    def incidents(self, day: date, shipments: Sequence[Shipment], first: dict[str, Shipment]) -> list[Incident]:
        end = midnight(day) + timedelta(days=1)
        found = []
        for issue in self.repository.issues:
            if "incident" in issue.labels and issue.created_at < end:
                opened, closed_at = _state(issue, end)
                cause = self._cause(issue, shipments, first)
                found.append(Incident(issue.number, issue.created_at, None if opened else closed_at, cause))
        return found

    def _cause(self, issue: Issue, shipments: Sequence[Shipment], first: dict[str, Shipment]) -> Shipment | None:
        """The deployment that the incident's text names, else the last one before it if that is near."""
        good = [one for one in shipments if one.good and one.at <= issue.created_at]
        baseline = next(one for one in shipments if one.good) if good else None
        text = f"{issue.title}\n{issue.body}"
        shas = [word for word in re.findall(r"\b[0-9a-f]{7,40}\b", text) if re.search(r"\d", word)]
        shas = [word for word in shas if re.search(r"[a-f]", word)]
        for word in shas:
            deployed = [one for one in good if one.sha.startswith(word)]
            if deployed:
                return deployed[-1]
        for word in shas:
            within = [by for sha, by in first.items() if sha.startswith(word) and by in good and by != baseline]
            if within:
                return within[-1]
        merges = {one.number: one.merge_sha for one in self.repository.pull_requests if one.merge_sha}
        named = [merges[int(number)] for number in re.findall(r"#(\d+)", text) if int(number) in merges]
        ships = [first[sha] for sha in named if sha in first and first[sha] in good and first[sha] != baseline]
        if ships:
            return max(ships, key=lambda one: one.at)
        versions = re.findall(r"\bv?(\d+\.\d+\.\d+)\b", text)
        released = [one for one in good if one.version and one.version.lstrip("v") in versions]
        if released:
            return released[-1]
        near = [one for one in good if one.at >= issue.created_at - MAXIMUM_GAP]
        return near[-1] if near else None

    def failures(
        self, day: date, shipments: Sequence[Shipment], first: dict[str, Shipment], incidents: Sequence[Incident]
    ) -> list[Failure]:
        end = midnight(day) + timedelta(days=1)
        good = [one for one in shipments if one.good]
        found = []
        for one in shipments:
            if not one.good:
                later = next((other for other in good if other.at > one.at), None)
                at, by = (later.at, later.key) if later else (None, None)
                found.append(Failure(one.key, one.at, one.at, at, by))
        for incident in incidents:
            if incident.cause:
                repairs = [
                    one.key for one in good if incident.closed_at and incident.opened_at < one.at <= incident.closed_at
                ]
                by = repairs[-1] if repairs else None
                found.append(Failure(incident.cause.key, incident.cause.at, incident.opened_at, incident.closed_at, by))
        for before, one in pairwise(good):
            goes_back = one.sha != before.sha and one.sha in self.contained(before.sha)
            if one.source == "deployments" and goes_back:
                found.append(Failure(before.key, before.at, one.at, one.at, one.key))
        for commit in self.repository.commits:
            taken_back = re.search(r"This reverts commit ([0-9a-f]{40})", commit.message)
            bad = first.get(taken_back.group(1)) if taken_back else None
            repair = first.get(commit.sha)
            if bad and repair and bad != good[0] and repair != bad:
                found.append(Failure(bad.key, bad.at, repair.at, repair.at, repair.key))
        assert all(one.detected_at < end for one in found)
        return found

    def dora(self, day: date) -> Figures:
        """The row of dora_daily."""
        since = days_back(day, WINDOW)
        shipments = self.shipments(day)
        first = self.shipped(shipments)
        good = [one for one in shipments if one.good]
        changes = self.changes(day)
        incidents = self.incidents(day, shipments, first)
        failures = self.failures(day, shipments, first, incidents)
        ships = bool(shipments)
        observed = min(WINDOW, (day - self.first_day).days + 1)

        window = [one for one in shipments if one.at >= since]
        failing = {one.deployment for one in failures} & {one.key for one in window}
        by_deployment: dict[str, list[Failure]] = {}
        for failure in failures:
            by_deployment.setdefault(failure.deployment, []).append(failure)
        recoveries, unrecovered = [], 0
        for reasons in by_deployment.values():
            ends = [one.restored_at for one in reasons if one.restored_at]
            if len(ends) < len(reasons):
                unrecovered += 1
            elif max(ends) >= since:
                recoveries.append(max(hours(e - one.failed_at) for e, one in zip(ends, reasons, strict=True)))
        repairs = {one.restored_by for one in failures} & {one.key for one in window if one.good}

        leads, waiting, shipped_today = [], 0, 0
        for change in changes:
            shipment = first.get(change.sha)
            if shipment is None:
                waiting += 1
            elif shipment != good[0]:
                leads.append((max(shipment.at, change.merged_at), hours(shipment.at - change.first_commit_at)))
                shipped_today += leads[-1][0] >= midnight(day)
        in_window = [lead for at, lead in leads if at >= since]
        in_week = [lead for at, lead in leads if at >= days_back(day, WEEK)]
        merged = [
            hours(one.merged_at - one.first_commit_at)
            for one in changes
            if one.is_pull_request and one.merged_at >= since
        ]
        closed = [one for one in incidents if one.closed_at and one.closed_at >= since]
        restores = [hours(one.closed_at - one.opened_at) for one in closed if one.closed_at]
        today = [one for one in shipments if one.at >= midnight(day)]
        succeeded = sum(one.good for one in window)
        fates = [self._fate(change, first, good) for change in changes if change.merged_at >= since]
        frequency = [end / observed for end in count_interval(succeeded)]
        lead_ends = median_interval(in_window)
        fail_ends = share_interval(len(failing), len(window))
        rework_ends = share_interval(len(repairs), succeeded)

        def known(value: object) -> object:
            return value if ships else None

        return {
            "deployment_source": shipments[-1].source if shipments else None,
            "days_observed": observed,
            "deployments_succeeded": known(sum(one.good for one in today)),
            "deployments_failed": known(sum(not one.good for one in today)),
            "changes_shipped": known(shipped_today),
            "changes_waiting": known(waiting),
            "incidents_opened": sum(one.opened_at >= midnight(day) for one in incidents),
            "incidents_resolved": sum(bool(one.closed_at and one.closed_at >= midnight(day)) for one in incidents),
            "incidents_open": sum(one.closed_at is None for one in incidents),
            "deployments_in_window": known(succeeded),
            "deployment_frequency": known(succeeded / observed),
            "deployment_frequency_low": known(frequency[0]),
            "deployment_frequency_high": known(frequency[1]),
            "lead_time_hours": quantile(in_window, 0.5),
            "lead_time_hours_p90": quantile(in_window, 0.9),
            "lead_time_hours_low": lead_ends[0],
            "lead_time_hours_high": lead_ends[1],
            "lead_time_n": len(in_window),
            "lead_time_hours_week": quantile(in_week, 0.5),
            "lead_time_week_n": len(in_week),
            "pr_lead_hours": quantile(merged, 0.5),
            "pr_lead_hours_p90": quantile(merged, 0.9),
            "pr_lead_n": len(merged),
            "change_failure_rate": len(failing) / len(window) if window else None,
            "change_failure_rate_low": fail_ends[0],
            "change_failure_rate_high": fail_ends[1],
            "deployments_failing_in_window": known(len(failing)),
            "deployments_finished_in_window": known(len(window)),
            "failed_deployment_recovery_hours": quantile(recoveries, 0.5),
            "failed_deployment_recovery_hours_p90": quantile(recoveries, 0.9),
            "failed_deployment_recovery_n": len(recoveries),
            "failures_unrecovered": known(unrecovered),
            "mttr_hours": quantile(restores, 0.5),
            "mttr_hours_p90": quantile(restores, 0.9),
            "mttr_n": len(restores),
            "rework_rate": len(repairs) / succeeded if succeeded else None,
            "rework_rate_low": rework_ends[0],
            "rework_rate_high": rework_ends[1],
            "rework_deployments_in_window": known(len(repairs)),
            "changes_merged_in_window": len(fates),
            "changes_shipped_of_merged": fates.count("shipped"),
            "changes_waiting_of_merged": fates.count("waiting"),
            "changes_in_baseline_of_merged": fates.count("baseline"),
            "changes_untied_of_merged": fates.count("untied"),
        }

    def _fate(self, change: Change, first: dict[str, Shipment], good: Sequence[Shipment]) -> str:
        """What became of a change."""
        if change.sha in first:
            return "baseline" if first[change.sha] == good[0] else "shipped"
        return "waiting" if change.sha in self.graph else "untied"

    # --- community ---

    @cached_property
    def contributions(self) -> list[tuple[date, str]]:
        """(day, person) of every contribution since the start."""
        found: list[tuple[datetime, User | None]] = []
        for commit in self.on_default_branch:
            # An address that belongs to no account is all that is known of the person then.
            # GitHub ties no commit to a mannequin, the stand-in for an account of another tracker.
            known = commit.author is not None and commit.author.kind != "Mannequin"
            found.append((commit.committed_at, commit.author if known else User(commit.author_email)))
        items: list[PullRequest | Issue] = [*self.repository.pull_requests, *self.repository.issues]
        for item in items:
            if item.created_at:
                found.append((item.created_at, item.author))
            kinds = ("IssueComment", "PullRequestReview")
            found += [(event.at, event.actor) for event in item.timeline if event.kind in kinds]
        return [(at.date(), user.login) for at, user in found if user and is_person(user) and at.date() >= self.start]

    def people(self, first: date, last: date) -> set[str]:
        return {person for day, person in self.contributions if first <= day <= last}

    def repository_day(self, day: date) -> Figures:
        """The row of repository_daily."""
        begin, end = midnight(day), midnight(day) + timedelta(days=1)
        repository = self.repository

        def today(times: Iterable[datetime | None]) -> int:
            return sum(time is not None and begin <= time < end for time in times)

        month = [one for one in repository.pull_requests if one.created_at and one.created_at < end]
        month = [one for one in month if one.created_at and one.created_at >= days_back(day, WINDOW)]
        merged = [one for one in repository.pull_requests if one.merged_at and one.merged_at < end]
        merged = [one for one in merged if one.merged_at and one.merged_at >= days_back(day, WINDOW)]
        issues = [one for one in repository.issues if days_back(day, WINDOW) <= one.created_at < end]
        answered, unanswered = _responses(month, end)
        issues_answered, issues_unanswered = _responses(issues, end)
        open_issues = [one for one in repository.issues if one.created_at < end and _state(one, end)[0]]
        open_pulls = [
            one for one in repository.pull_requests if one.created_at and one.created_at < end and _state(one, end)[0]
        ]
        fresh = [
            one
            for one in open_issues
            if any(
                days_back(day, QUARTER) <= at < end for at in (one.created_at, *(event.at for event in one.timeline))
            )
        ]
        forks = [one.created_at for one in repository.forks if one.created_at < end]

        young = repository.created_at.date() >= self.start
        age = (day - self.start).days
        earlier = self.people(self.start, day - timedelta(days=1))
        now = self.people(day - timedelta(days=QUARTER - 1), day)
        before = self.people(day - timedelta(days=2 * QUARTER - 1), day - timedelta(days=QUARTER))
        active = self.people(day, day)
        return {
            "stars_new": today(star.at for star in repository.stars),
            "stars_total": sum(star.at < end for star in repository.stars),
            "forks_new": today(forks),
            "forks_total": len(forks),
            "issues_opened": today(one.created_at for one in repository.issues),
            "issues_closed": today(at for one in repository.issues for at in _closings(one)),
            "issues_open": len(open_issues),
            "pull_requests_opened": today(one.created_at for one in repository.pull_requests),
            "pull_requests_merged": today(one.merged_at for one in repository.pull_requests),
            "pull_requests_closed": today(
                at for one in repository.pull_requests for at in _closings(one) if at != one.merged_at
            ),
            "pull_requests_open": len(open_pulls),
            "commits": today(one.committed_at for one in self.on_default_branch),
            "releases": sum(one.at >= begin for one in self._published(end)),
            "active_contributors": len(active),
            "new_contributors": len(active - earlier) if young or age >= QUARTER else None,
            "contributors_in_window": len(now) if young or age >= QUARTER - 1 else None,
            "contributors_in_previous_window": len(before) if young or age >= 2 * QUARTER - 1 else None,
            "contributors_retained": len(now & before) if young or age >= 2 * QUARTER - 1 else None,
            "pull_requests_opened_in_window": len(month),
            "pull_requests_merged_in_window": len(merged),
            "pull_request_merge_hours": quantile(
                (hours(one.merged_at - one.created_at) for one in merged if one.merged_at and one.created_at), 0.5
            ),
            "pull_request_merge_n": len(merged),
            "pull_request_first_response_hours": quantile(answered, 0.5),
            "pull_request_first_response_n": len(answered),
            "pull_requests_unanswered": unanswered,
            "issue_first_response_hours": quantile(issues_answered, 0.5),
            "issue_first_response_n": len(issues_answered),
            "issues_unanswered": issues_unanswered,
            "issues_open_fresh": len(fresh),
            "forks_in_window": sum(at >= days_back(day, QUARTER) for at in forks),
        }

    def _published(self, end: datetime) -> list[Shipment]:
        """Releases; before the day of the repository's first, its release tags."""
        releases, tags = list(self._releases(end)), list(self._tags(end))
        adopted = min((one.at.date() for one in releases), default=end.date())
        early = [one for one in tags if one.at.date() < adopted]
        return early + [one for one in releases if one.version not in {tag.version for tag in early}]


def _steps(item: Issue | PullRequest) -> list[Event]:
    """Its changes of state, without those that changed nothing."""
    steps: list[Event] = []
    for event in sorted(item.timeline, key=lambda event: event.at):
        before = steps[-1].kind if steps else "ReopenedEvent"
        if event.kind in ("ClosedEvent", "ReopenedEvent") and event.kind != before:
            steps.append(event)
    return steps


def _closings(item: Issue | PullRequest) -> list[datetime]:
    return [event.at for event in _steps(item) if event.kind == "ClosedEvent"]


def _state(item: Issue | PullRequest, end: datetime) -> tuple[bool, datetime | None]:
    """Whether it was open then, and if not, since when."""
    steps = [event for event in _steps(item) if event.at < end]
    if steps and steps[-1].kind == "ClosedEvent":
        return False, steps[-1].at
    return True, None


def _responses(items: Iterable[Issue | PullRequest], end: datetime) -> tuple[list[float], int]:
    """Hours until somebody else answered, of those that were answered by then, and how many were not."""
    answered, unanswered = [], 0
    for item in items:
        if item.author is not None and not is_person(item.author):
            continue
        assert item.created_at is not None
        author = item.author.login if item.author else None
        answers = [
            event.at
            for event in item.timeline
            if event.kind in ("IssueComment", "PullRequestReview")
            and event.at < end
            and event.actor is not None
            and is_person(event.actor)
            and event.actor.login != author
        ]
        if answers:
            answered.append(hours(min(answers) - item.created_at))
        else:
            unanswered += 1
    return answered, unanswered
