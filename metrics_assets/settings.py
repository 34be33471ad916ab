"""What the user wants: metrics.yaml and the environment, as one typed object.

Every mistake is reported as a sentence that names the key and the remedy; `load` reports all of a file's
mistakes at once and nothing is written before it has returned.
"""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Hashable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from metrics_assets.errors import ConfigurationError

Entity = Literal[
    "pull_requests",
    "review_comments",
    "issues",
    "discussions",
    "milestones",
    "commits",
    "releases",
    "tags",
    "deployments",
    "workflow_runs",
    "stargazers",
    "forks",
    "contributors",
    "security_advisories",
    "dependabot_alerts",
    "traffic",
]
Pack = Literal["engineering", "community", "product-metrics", "release-watch", "growth"]
ENTITIES: tuple[Entity, ...] = get_args(Entity)
_DEFAULT_PACKS: tuple[Pack, ...] = ("engineering", "community")
DeploymentSource = Literal["auto", "deployments", "workflow_runs", "releases", "tags", "pushes", "none"]
FailureSignal = Literal["incident", "rollback", "revert", "hotfix", "yank", "failed_deployment"]
FAILURE_SIGNALS: tuple[FailureSignal, ...] = get_args(FailureSignal)
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
Severity = Literal["info", "warning", "critical"]
ChannelKind = Literal["webhook", "slack", "email", "discord", "apprise", "pagerduty", "github_issue"]

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/(?!\.{1,2}$)[A-Za-z0-9._-]+")
_PACKAGE = re.compile(r"(pypi|npm|crates|go|gems|docker|brew):\S+")
_GIT_URL = re.compile(r"(https?|ssh|git|file)://[^\s@]*[^\s@/]+/[^\s]+|git@[^\s:]+:[^\s]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CLOCK_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# Longer than this no value is repeated in a message.
_LONGEST_SHOWN = 60
_MOST_MISTAKES = 20


def _matches(pattern: re.Pattern[str], remedy: str, *, show: bool = True) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"{_shown(text) if show else 'its value'} is not understood; {remedy}")
        return text

    return AfterValidator(check)


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{_shown(name)} is no time zone; write one as Europe/Berlin or UTC") from None
    return name


def _is_a_date(value: Any) -> Any:
    """Only YYYY-MM-DD: pydantic would also take a number, as seconds since 1970."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError(f"{_shown(value)} is not understood; write a date as YYYY-MM-DD")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value} is not in the calendar; write a date as YYYY-MM-DD") from None


def _shown(value: object) -> str:
    """A value for a message, cut short; what YAML's references repeat endlessly is cut short, too."""
    if isinstance(value, date):
        return value.isoformat()
    short = reprlib.Repr()
    short.maxlevel, short.maxlist, short.maxdict = 2, 3, 3
    short.maxstring = short.maxother = _LONGEST_SHOWN
    return short.repr(value)


def _is_a_clock_time(value: Any) -> Any:
    """YAML reads 17:30 without quotes as a number to the base of 60."""
    if isinstance(value, int) and not isinstance(value, bool) and 60 <= value <= 24 * 60:
        value = f"{value // 60:02}:{value % 60:02}"
    if not isinstance(value, str) or not _CLOCK_TIME.fullmatch(value):
        raise ValueError(f"{_shown(value)} is not understood; write a time as 09:00 or 17:30, at most 24:00")
    return value


ClockTime = Annotated[str, BeforeValidator(_is_a_clock_time)]
Day = Annotated[date, BeforeValidator(_is_a_date)]
RepositoryName = Annotated[str, _matches(_REPOSITORY, "write 'owner/name', for example acme/api")]
PackageName = Annotated[
    str, _matches(_PACKAGE, "write 'registry:name' with pypi, npm, crates, go, gems, docker or brew")
]
ChannelName = Annotated[str, _matches(_NAME, "write letters, digits, - and _, for example team-chat")]
OwnerName = Annotated[str, _matches(_NAME, "write the organization's login, for example acme-labs")]
ServiceName = Annotated[
    str, _matches(_NAME, "write a service's name with letters, digits, hyphens and underscores, for example api")
]
GitUrl = Annotated[
    str,
    _matches(
        _GIT_URL,
        "write an address that git can clone without a password in it, as https://host/acme/tool.git",
        show=False,
    ),
]
BaseUrl = Annotated[
    str,
    _matches(
        re.compile(r"https?://[^/\s@]+(/[^\s?#]*[^\s?#/])?"),
        "write a plain http(s) address without user, password or slash at the end",
        show=False,
    ),
]
VariableName = Annotated[
    str, _matches(_ENVIRONMENT_NAME, "write the name of an environment variable, not its content", show=False)
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Chain(_Strict):
    """What tells the deployments of one chain from others; each ships what is new in it."""

    environment: str | None = Field(None, description="The environment whose deployments count.")
    workflow: str | None = Field(
        None, description="Regular expression of the workflows (GitHub Actions) whose successful runs deploy."
    )
    job: str | None = Field(
        None, description="Regular expression of the job in it that deploys; without it, the whole run counts."
    )
    release_tags: str | None = Field(None, description="Regular expression of the tags that are releases.")

    @field_validator("release_tags", "workflow", "job")
    @classmethod
    def _is_an_expression(cls, text: str | None) -> str | None:
        try:
            re.compile(text or "")
        except re.error as error:
            raise ValueError(f"{_shown(text)} is not a regular expression ({error}); correct it") from error
        return text


class Deployments(Chain):
    """How it is known when a repository ships, and when what it shipped was bad."""

    source: DeploymentSource = Field(
        "auto",
        description="What counts as a deployment. auto: GitHub deployments where there are any, else runs of "
        "`workflow`, else releases, else release tags. pushes: every commit on the first-parent line of the default "
        "branch.",
    )
    environment: str = Field("production", description="The environment whose deployments count.")
    environments: list[str] = Field(
        default_factory=list, description="Further environments with figures of their own, for example staging."
    )
    release_tags: str = Field(
        r"^v?\d+\.\d+(\.\d+){0,2}$",
        description="Regular expression of the tags that are releases; the default leaves pre-releases out.",
    )
    failure_signals: list[FailureSignal] = Field(
        default_factory=lambda: list(FAILURE_SIGNALS),
        description="What makes a deployment a failed one. incident: one was tied to it. rollback: the next one "
        "went back to an older commit. revert: what it shipped was reverted. hotfix: what followed was labelled a "
        "hotfix, or was a patch release of the same line within hotfix_days. yank: the release was withdrawn. "
        "failed_deployment: it never succeeded.",
    )
    hotfix_labels: list[str] = Field(
        default_factory=lambda: ["hotfix"], description="Labels of pull requests that repair what was just deployed."
    )
    hotfix_days: int = Field(3, ge=0, le=60, description="A patch release so soon after another is a hotfix of it.")


class Service(Chain):
    """An application or service of a monorepo, with deployments of its own."""

    source: DeploymentSource | None = Field(None, description="What counts as a deployment; else the repository's.")
    paths: list[str] = Field(
        default_factory=list,
        description="Directories whose changes are the service's, as apps/web or apps/web/**, to a depth of three. "
        "Read from git: the repository needs `git`. Without paths every change that a deployment contains counts.",
    )
    team: str | None = Field(None, description="The team that owns it, if not the repository's.")

    @field_validator("paths")
    @classmethod
    def _are_directories(cls, paths: list[str]) -> list[str]:
        cleaned = [path.strip("/").removesuffix("**").removesuffix("*").strip("/") for path in paths]
        for path, given in zip(cleaned, paths, strict=True):
            if not path or "*" in path or path.count("/") > 2:
                raise ValueError(
                    f"{_shown(given)} is not understood; write a directory as apps/web, at most three deep"
                )
        return cleaned


class Incidents(_Strict):
    """Which issues are incidents, and how far from a deployment one may still be blamed on it by time alone."""

    labels: list[str] = Field(default_factory=lambda: ["incident"], min_length=1)
    maximum_gap_hours: float = Field(24, gt=0, le=24 * 14)


class RepositorySettings(_Strict):
    """A repository on GitHub, in git, or both: then commits and tags come from git, which has no quota."""

    github: RepositoryName | None = Field(None, description="'owner/name' on GitHub.")
    git: GitUrl | None = Field(
        None, description="Where git can clone it. Alone, only what git knows is collected: no issues, no stars."
    )
    team: str | None = Field(None, description="The team that owns the repository.")
    deployments: Deployments = Deployments()
    incidents: Incidents = Incidents()
    services: dict[ServiceName, Service] = Field(
        default_factory=dict, description="The services of a monorepo by name; each has figures of its own."
    )
    packages: list[PackageName] = Field(
        default_factory=list, description="Packages published from here, as registry:name."
    )
    collect: list[Entity] = Field(
        default_factory=lambda: list(ENTITIES),
        description="What to collect; figures that need what is left out are unknown, never 0.",
    )

    @property
    def name(self) -> str:
        """'owner/name': the one on GitHub, else the last two parts of the git address."""
        if self.github is not None:
            return self.github
        parts = re.split(r"[/:]", (self.git or "").removesuffix("/").removesuffix(".git"))
        return "/".join(parts[-2:])

    @model_validator(mode="after")
    def _is_somewhere(self) -> RepositorySettings:
        if self.github is None and self.git is None:
            raise ValueError("names neither github nor git; write github: owner/name, or git: with a clone address")
        return self


class GitHubApp(_Strict):
    """A GitHub App's installation, whose tokens are made when they are needed and last an hour."""

    id: int = Field(gt=0, description="The App's id.")
    installation: int = Field(gt=0, description="The id of its installation.")
    private_key_env: VariableName = Field(description="Environment variable that holds the App's private key (PEM).")


class GitHubSource(_Strict):
    share_of_budget: float = Field(
        0.8, gt=0, le=1, description="Share of each token's hourly budget that may be used; the rest is for others."
    )
    budget_per_hour: int | Literal["light", "moderate", "heavy"] | None = Field(
        None,
        description="The most requests and GraphQL points to use in an hour, over all tokens: a number, or light "
        "(500), moderate (3000), heavy (4500). Without it, the share of the budget alone counts.",
    )
    concurrency: int = Field(8, ge=1, le=50, description="Requests in flight at the same time.")
    page_size: int = Field(50, ge=1, le=100, description="Rows asked for per page of nested lists, at the most.")
    tokens_env: list[VariableName] = Field(
        default_factory=lambda: ["GITHUB_TOKEN"], description="Environment variables that hold tokens; all are used."
    )
    app: GitHubApp | None = Field(None, description="Use a GitHub App's installation besides the tokens.")
    refresh_days: int = Field(
        7,
        ge=1,
        le=90,
        description="What GitHub gives no sign of (contributors, advisories, alerts, downloads of assets, deleted "
        "rows of partial histories) is asked for when it is this old.",
    )

    @field_validator("budget_per_hour")
    @classmethod
    def _is_a_budget(cls, value: int | str | None) -> int | str | None:
        if isinstance(value, int) and not 10 <= value <= 100_000:
            raise ValueError(
                f"{value} is not between 10 and 100000; write the requests per hour, or light, moderate, heavy"
            )
        return value


class Endpoint(_Strict):
    """Where a source is; without base_url, at its public address."""

    base_url: BaseUrl | None = None


class PyPISource(Endpoint):
    """The index: base_url, else the one that pip is configured to use. Downloads come from pypistats."""

    pypistats_url: BaseUrl = "https://pypistats.org"


class NpmSource(Endpoint):
    """The registry: base_url. Without it, or without downloads_url, its figures are unknown."""

    downloads_url: BaseUrl | None = None


class GoSource(Endpoint):
    """The module proxy: base_url. Who imports a module: pkg_url."""

    base_url: BaseUrl | None = "https://proxy.golang.org"
    pkg_url: BaseUrl = "https://pkg.go.dev"


class CratesSource(Endpoint):
    base_url: BaseUrl | None = "https://crates.io"


class RubyGemsSource(Endpoint):
    base_url: BaseUrl | None = "https://rubygems.org"


class DockerSource(Endpoint):
    base_url: BaseUrl | None = "https://hub.docker.com"


class HomebrewSource(Endpoint):
    base_url: BaseUrl | None = "https://formulae.brew.sh"


class DepsDevSource(Endpoint):
    base_url: BaseUrl | None = "https://api.deps.dev"


class OsvSource(Endpoint):
    base_url: BaseUrl | None = "https://api.osv.dev"


class StackExchangeSource(Endpoint):
    base_url: BaseUrl | None = "https://api.stackexchange.com"
    key_env: VariableName | None = Field(
        None, description="Environment variable of an API key; 300 calls a day without."
    )


class HackerNewsSource(Endpoint):
    base_url: BaseUrl | None = "https://hn.algolia.com"


class DiscordSource(Endpoint):
    base_url: BaseUrl | None = "https://discord.com"


class YouTubeSource(Endpoint):
    base_url: BaseUrl | None = "https://www.googleapis.com"
    key_env: VariableName = "YOUTUBE_API_KEY"


class RedditSource(Endpoint):
    base_url: BaseUrl | None = "https://oauth.reddit.com"
    token_url: BaseUrl = "https://www.reddit.com/api/v1/access_token"
    client_id_env: VariableName = "REDDIT_CLIENT_ID"
    client_secret_env: VariableName = "REDDIT_CLIENT_SECRET"


class XSource(Endpoint):
    base_url: BaseUrl | None = "https://api.x.com"
    token_env: VariableName = "X_BEARER_TOKEN"


class Sources(_Strict):
    """Where the sources are and how much may be asked of them."""

    github: GitHubSource = GitHubSource()
    pypi: PyPISource = PyPISource()
    npm: NpmSource = NpmSource()
    crates: CratesSource = CratesSource()
    go: GoSource = GoSource()
    gems: RubyGemsSource = RubyGemsSource()
    docker: DockerSource = DockerSource()
    brew: HomebrewSource = HomebrewSource()
    deps_dev: DepsDevSource = DepsDevSource()
    osv: OsvSource = OsvSource()
    stack_exchange: StackExchangeSource = StackExchangeSource()
    hacker_news: HackerNewsSource = HackerNewsSource()
    discord: DiscordSource = DiscordSource()
    youtube: YouTubeSource = YouTubeSource()
    reddit: RedditSource = RedditSource()
    x: XSource = XSource()


class Platforms(_Strict):
    """Where people talk about the project. Reddit and X stay off until their credentials are in the environment."""

    stack_exchange: list[str] = Field(
        default_factory=list, description="Tags as 'site:tag', for example stackoverflow:httpx."
    )
    hacker_news: list[str] = Field(default_factory=list, description="Words to search stories and comments for.")
    discourse: list[BaseUrl] = Field(default_factory=list, description="Addresses of Discourse forums.")
    discord: list[str] = Field(default_factory=list, description="Invite codes of Discord servers.")
    youtube: list[str] = Field(default_factory=list, description="Ids of YouTube channels.")
    reddit: list[str] = Field(default_factory=list, description="Subreddits, or 'subreddit:words' to search in one.")
    x: list[str] = Field(default_factory=list, description="Accounts, without the @.")

    @field_validator("stack_exchange")
    @classmethod
    def _are_tags(cls, tags: list[str]) -> list[str]:
        for tag in tags:
            if not re.fullmatch(r"[a-z0-9.]+:[a-z0-9+#._-]+", tag):
                raise ValueError(f"{_shown(tag)} is not understood; write 'site:tag', for example stackoverflow:httpx")
        return tags


class Channel(_Strict):
    """Where people are told. Addresses are secrets: they stand in the environment."""

    kind: ChannelKind = Field(
        "webhook",
        description="webhook: our message as JSON; slack, email, discord: through apprise, the variable holds the "
        "service's own address or one of apprise's; apprise: any other service of it; pagerduty: Events API v2, the "
        "variable holds the routing key; github_issue: one issue per alert, kept up to date.",
    )
    url_env: VariableName | None = Field(
        None, description="Environment variable that holds the address (of pagerduty the routing key)."
    )
    token_env: VariableName = Field("GITHUB_TOKEN", description="Of github_issue: the variable with a token.")
    repository: str | None = Field(None, description="Of github_issue: where the issues are, as 'owner/name'.")
    labels: list[str] = Field(default_factory=lambda: ["metrics-alert"], description="Of github_issue.")
    base_url: BaseUrl | None = Field(None, description="Of pagerduty: where its API is, if not at the public one.")
    minimum_severity: Severity = Field("info", description="Alerts below it are not told here.")
    default: bool = Field(
        True, description="Whether it is told of alerts whose rule names no channel, or one that is not here."
    )
    quiet_hours: bool = Field(True, description="Whether it keeps the quiet hours of `alerts`.")
    daily_status: bool = Field(False, description="Whether it is told the status line of every day.")

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Channel:
        if self.kind == "github_issue":
            if self.repository is None:
                raise ValueError("has kind github_issue and no repository; write repository: owner/name")
        elif self.url_env is None:
            raise ValueError("has no url_env; name the environment variable that holds the address")
        return self


class QuietHours(_Strict):
    """When nobody is told of what is not critical; it is told afterwards, if it still holds then."""

    opens: ClockTime = Field("20:00", alias="from")
    closes: ClockTime = Field("08:00", alias="to", description="On the next day, where it is before `from`.")
    days: list[Weekday] = Field(
        default_factory=list, description="Days of the week that are quiet as a whole, for example [sat, sun]."
    )
    timezone: str | None = Field(None, description="Default: that of business_hours.")

    @field_validator("days")
    @classmethod
    def _leave_a_day(cls, days: list[Weekday]) -> list[Weekday]:
        if set(days) == set(WEEKDAYS):
            raise ValueError("names all seven days, so that nobody would ever be told; leave one out")
        return days

    @field_validator("timezone")
    @classmethod
    def _is_a_timezone(cls, name: str | None) -> str | None:
        return name if name is None else _timezone(name)


class Alerts(_Strict):
    """How alerts are told; the rules stand in the catalogue."""

    rules: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="By a rule's key: `off: true`, or other values of its fields, for example "
        "{change_failure_rate_high: {above: 0.2, channels: [team]}}.",
    )
    quiet_hours: QuietHours | None = None
    group_from: int = Field(3, ge=2, description="So many alerts of a rule at once are told in one message.")
    site_url: BaseUrl | None = Field(None, description="Where the site is published; messages link to it.")
    dagster_url: BaseUrl = Field("http://127.0.0.1:3000", description="Where the Dagster UI is; messages link to it.")
    acknowledge_url: BaseUrl | None = Field(
        None, description="Where `metrics alerts serve` is reached; with it messages have a link to acknowledge."
    )

    @field_validator("rules", mode="before")
    @classmethod
    def _off_is_a_word(cls, rules: Any) -> Any:
        """YAML reads off as false, as a key, too: `{off: true}` is {False: True}, and `rule: off` is False."""
        if not isinstance(rules, dict):
            return rules
        changes = {key: {"off": True} if change is False else change for key, change in rules.items()}
        return {
            key: {"off" if name is False else name: value for name, value in change.items()}
            if isinstance(change, dict)
            else change
            for key, change in changes.items()
        }


class Report(_Strict):
    """One kind of report."""

    off: bool = Field(False, description="It is not made.")
    channels: list[str] = Field(
        default_factory=list,
        description="Channels that are told of it once its period has ended; e-mail channels get all of it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _off_is_a_word(cls, report: Any) -> Any:
        """YAML reads off as false, as a key, too: `{off: true}` is {False: True}, and `weekly_digest: off` is False."""
        if isinstance(report, bool):
            return {"off": not report}
        if isinstance(report, dict):
            return {"off" if name is False else name: value for name, value in report.items()}
        return report


class Reports(_Strict):
    """The reports: which are made, for whom, and where people write what no figure says."""

    prepared_by: str | None = Field(None, description="Who stands in the footer: a team or a role.")
    folder: Path = Field(
        Path("reports"),
        description="Folder, beside metrics.yaml, for notes in Markdown: 2025-12.md of a month, 2025-W52.md of a "
        "week, 2025-Q4.md of a quarter.",
    )
    week_ends: Weekday = Field("sun", description="The day with which the weeks of the digest end.")
    send_within_days: int = Field(
        10, ge=1, le=366, description="A report whose period ended longer ago is not sent by itself."
    )
    pdf: bool = Field(True, description="Whether reports are printed as PDF too, where there is a Chromium.")
    monthly_report: Report = Report()
    weekly_digest: Report = Report()
    quarterly_review: Report = Report()
    executive_summary: Report = Report()

    def kinds(self) -> dict[str, Report]:
        """The reports by kind."""
        return {
            "monthly_report": self.monthly_report,
            "weekly_digest": self.weekly_digest,
            "quarterly_review": self.quarterly_review,
            "executive_summary": self.executive_summary,
        }


class BusinessHours(_Strict):
    """When somebody can be expected to answer; durations in business hours count these alone."""

    timezone: str = Field("UTC", description="As in the IANA database, for example Europe/Berlin.")
    days: list[Weekday] = Field(default_factory=lambda: list(WEEKDAYS[:5]), min_length=1)
    opens: ClockTime = "09:00"
    closes: ClockTime = "17:00"
    country: str | None = Field(
        None, description="Country whose public holidays are free, as in ISO 3166, with a subdivision: DE or DE-BY."
    )
    holidays: list[Day] = Field(default_factory=list, description="Further free days.")

    @field_validator("timezone")
    @classmethod
    def _is_a_timezone(cls, name: str) -> str:
        return _timezone(name)

    @field_validator("country")
    @classmethod
    def _is_a_country(cls, code: str | None) -> str | None:
        from holidays import list_supported_countries

        country, _, part = (code or "").partition("-")
        known = list_supported_countries()
        if code is not None and (country not in known or (part and part not in known[country])):
            raise ValueError(f"{_shown(code)} is no country whose holidays are known; write it as DE, DE-BY or US")
        return code

    @model_validator(mode="after")
    def _has_hours(self) -> BusinessHours:
        if self.opens >= self.closes:
            raise ValueError(f"opens {self.opens} is not before closes {self.closes}; swap them")
        return self


class ServiceLevels(_Strict):
    """What was promised; shares of what kept it are figures."""

    issue_resolution_days: float = Field(14, gt=0)
    first_response_hours: float = Field(24, gt=0)


# What fsspec's file systems call their secrets; the name of a key of AWS's KMS is none.
_SECRET_OPTION = re.compile(
    r"secret|passw|token|credential|auth|signature|connection_string|(?<!kms)(?<!kms_)key", re.IGNORECASE
)
_ADDRESS_WITH_A_SECRET = re.compile(r"://[^/\s]*@|[?&]")


def _without_secrets(options: Any) -> Any:
    """Refuse options that look like secrets, at any depth; the message never repeats a value."""
    for value in options if isinstance(options, list) else ():
        _without_secrets(value)
    for name, value in options.items() if isinstance(options, dict) else ():
        if _SECRET_OPTION.search(str(name)):
            raise ValueError(
                f"the option {_shown(name)} looks like a secret; leave it out and set it in the environment, where "
                "the storage's own library finds it (for S3 as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
            )
        if isinstance(value, str) and _ADDRESS_WITH_A_SECRET.search(value):
            raise ValueError(f"the option {_shown(name)} holds a user, a password or a signature; leave them out")
        _without_secrets(value)
    return options


class GitHubPages(_Strict):
    """A branch that GitHub, or another host of git repositories, serves as a site."""

    repository: GitUrl = Field(description="Where git can push to.")
    branch: Annotated[
        str, _matches(re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/-]*(?<![./])"), "write a branch as gh-pages")
    ] = Field("gh-pages", description="A branch for the site alone: it always has one commit, which is replaced.")
    token_env: VariableName = Field(
        "GITHUB_TOKEN", description="Environment variable with a token that may push; without it git's own helpers."
    )
    team_pages: bool = Field(
        False, description="Whether the pages of teams go there, too: who can read the repository finds them all."
    )


class Site(_Strict):
    """Where the site is published after it was built under METRICS_HOME."""

    publish_to: (
        Annotated[
            str,
            _matches(
                re.compile(r"(?!.*://[^/\s]*@)[^\s?#]([^\n?#]*[^\s?#])?"),
                "write a folder, or an address as s3://bucket/folder without user, password or question mark",
                show=False,
            ),
        ]
        | None
    ) = Field(
        None,
        description="A folder (relative ones beside metrics.yaml; what is served is `current` in it), or an address "
        "that fsspec knows, as s3://bucket/folder (install metrics_assets[s3]).",
    )
    publish_options: dict[str, Any] = Field(
        default_factory=dict,
        description="Options of the storage, for example {endpoint_url: https://storage.example.com}. Secrets stand "
        "in the environment.",
    )
    github_pages: GitHubPages | None = None

    @field_validator("publish_options")
    @classmethod
    def _hold_no_secrets(cls, options: dict[str, Any]) -> dict[str, Any]:
        _without_secrets(options)
        return options


class Space(_Strict):
    """SPACE is for teams that agreed to it."""

    teams: list[str] = Field(default_factory=list, description="The teams that opted in; each must be in teams.")


class Privacy(_Strict):
    minimum_group: int = Field(3, ge=3, description="Fewest people behind a figure about people.")
    raw_retention_days: int | None = Field(
        None, ge=30, description="Not acted on: raw rows hold no names and are kept, so that any day can be rebuilt."
    )


class Settings(_Strict):
    """The content of metrics.yaml."""

    portfolio: str = Field("portfolio", min_length=1, description="A name for the whole.")
    # Git's own dates begin in 1970, and GitHub refuses to list commits since an earlier one.
    start: Day = Field(date(2025, 1, 1), ge=date(1970, 1, 1), description="First day of history wanted (UTC).")
    end: Day | None = Field(None, description="Last day wanted; without it, yesterday.")
    settle_days: int = Field(
        3, ge=0, le=30, description="Days for which figures stay provisional and are collected again."
    )
    packs: list[Pack] = Field(default_factory=lambda: list(_DEFAULT_PACKS))
    repositories: list[RepositorySettings] = Field(default_factory=list)
    organizations: list[OwnerName] = Field(
        default_factory=list, description="Organizations of which every repository is wanted."
    )
    teams: dict[str, list[str]] = Field(default_factory=dict, description="Team: logins of its members.")
    affiliations: dict[str, list[str]] = Field(
        default_factory=dict,
        description="Organisation: logins of people who work for it; how many organisations carry a project needs it.",
    )
    space: Space = Space()
    business_hours: BusinessHours = BusinessHours()
    service_levels: ServiceLevels = ServiceLevels()
    feeds: Path = Field(
        Path("feeds"),
        description="Folder, beside metrics.yaml, for kpi_values.csv, events.csv, gate_evidence.csv and "
        "incident_links.csv; a sensor watches it.",
    )
    bots: list[str] = Field(
        default_factory=list, description="Logins of accounts that are programs though GitHub calls them users."
    )
    sources: Sources = Sources()
    platforms: Platforms = Platforms()
    channels: dict[ChannelName, Channel] = Field(default_factory=dict)
    alerts: Alerts = Alerts()
    reports: Reports = Reports()
    site: Site = Site()
    privacy: Privacy = Privacy()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Settings:
        if not self.repositories and not self.organizations:
            raise ValueError("names nothing to measure; list at least one repository or organization")
        if self.start > datetime.now(UTC).date():
            raise ValueError(f"start {self.start} is in the future; write the first day of history wanted")
        if self.end is not None and self.end < self.start:
            raise ValueError(f"end {self.end} is before start {self.start}; swap them or leave end out")
        seen: set[str] = set()
        for repository in self.repositories:
            name = repository.name.lower()
            if name in seen:
                raise ValueError(f"repository {repository.name} is listed twice; keep one of the entries")
            seen.add(name)
            if repository.team is not None and self.teams and repository.team not in self.teams:
                raise ValueError(
                    f"repository {repository.name} belongs to team '{repository.team}', which teams does not "
                    f"define; add it there or use one of: {', '.join(sorted(self.teams))}"
                )
            for name, service in repository.services.items():
                if service.team is not None and self.teams and service.team not in self.teams:
                    raise ValueError(
                        f"service {name} of {repository.name} belongs to team '{service.team}', which teams does not "
                        f"define; add it there or use one of: {', '.join(sorted(self.teams))}"
                    )
        for kind, report in self.reports.kinds().items():
            for name in report.channels:
                if name not in self.channels:
                    known = f"use one of: {', '.join(sorted(self.channels))}" if self.channels else "add it there"
                    raise ValueError(f"reports.{kind}.channels names '{name}', which channels does not define; {known}")
                if self.channels[name].kind in ("pagerduty", "github_issue"):
                    raise ValueError(
                        f"reports.{kind}.channels names '{name}', whose kind {self.channels[name].kind} takes alerts "
                        "only; name a channel of another kind"
                    )
        for team in self.space.teams:
            if team not in self.teams:
                raise ValueError(f"space.teams names '{team}', which teams does not define; add its members there")
        return self


def config_path() -> Path:
    """The file that METRICS_CONFIG names, else metrics.yaml in the working directory."""
    return Path(os.environ.get("METRICS_CONFIG") or "metrics.yaml")


def metrics_home() -> Path:
    """The folder for everything this installation writes (METRICS_HOME, else .metrics)."""
    return Path(os.environ.get("METRICS_HOME") or ".metrics").resolve()


def github_api_url() -> str:
    """Where GitHub's API is (GITHUB_API_URL), without a slash at the end.

    Raises:
        ConfigurationError: the variable holds something that is not an http(s) address.
    """
    url = (os.environ.get("GITHUB_API_URL") or "https://api.github.com").rstrip("/")
    if not re.fullmatch(r"https?://[^/\s@]+(/[^\s?#]*)?", url):
        # It is not repeated here: somebody may have put a token or a password into it.
        raise ConfigurationError(
            "GITHUB_API_URL is no plain http(s) address; set it to the API's base without user or password, "
            "for example https://github.example.com/api/v3, or unset it for github.com."
        )
    return url


def github_tokens(settings: Settings) -> dict[str, str]:
    """The tokens of sources.github.tokens_env, by the variable that holds each.

    Raises:
        ConfigurationError: none is set though metrics.yaml names something on GitHub, and there is no App either.
    """
    source = settings.sources.github
    found = {name: (os.environ.get(name) or "").strip() for name in source.tokens_env}
    tokens = {name: secret for name, secret in found.items() if secret}
    wants_github = settings.organizations or any(entry.github for entry in settings.repositories)
    if not tokens and source.app is None and wants_github:
        names = " and ".join(source.tokens_env) or "GITHUB_TOKEN"
        raise ConfigurationError(
            f"{names} is not set; create a token that may read the repositories of metrics.yaml and export it "
            "in the environment (never in metrics.yaml)."
        )
    return tokens


def secret(name: str, purpose: str) -> str:
    """The content of an environment variable.

    Raises:
        ConfigurationError: it is not set.
    """
    value = (os.environ.get(name) or "").strip()
    if not value:
        raise ConfigurationError(f"{name} is not set; it must hold {purpose}.")
    return value


def load(path: Path | None = None) -> Settings:
    """Read metrics.yaml.

    Raises:
        ConfigurationError: one line per mistake, each naming the file, the key and the remedy.
    """
    path = path or config_path()
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} does not exist; copy metrics.example.yaml to it, or set METRICS_CONFIG to where yours is."
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}); mend its permissions.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {_yaml_problem(error)}; correct that place.") from error
    except (ValueError, RecursionError) as error:
        what = "is nested too deeply" if isinstance(error, RecursionError) else f"holds a value that is none ({error})"
        raise ConfigurationError(f"{path} {what}; metrics.example.yaml shows the form.") from None
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"{path} must hold keys and values, not {_kind(content)}; metrics.example.yaml shows the form."
        )
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        lines = [f"{path}: {_sentence(problem)}" for problem in error.errors()]
        if len(lines) > _MOST_MISTAKES:
            lines[_MOST_MISTAKES:] = [f"{path}: {len(lines) - _MOST_MISTAKES} mistakes more; correct these first."]
        raise ConfigurationError("\n".join(lines)) from None


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML keeps the last of two equal keys without a word; here that is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for name, _ in node.value:
            if name.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(name, deep=True)
            if not isinstance(key, Hashable):
                continue  # refused by the loader itself
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {_shown(key)} appears twice; keep one of them", name.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


# Dates stay texts for pydantic, whose message about 2025-13-01 names the key.
_UniqueKeyLoader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _yaml_problem(error: yaml.YAMLError) -> str:
    problem = " ".join((getattr(error, "problem", None) or str(error)).split())
    mark = getattr(error, "problem_mark", None)
    return f"{problem}, line {mark.line + 1}, column {mark.column + 1}" if mark else problem


def _kind(value: object) -> str:
    return {type(None): "nothing", list: "a list", str: "a text"}.get(type(value), type(value).__name__)


def _sentence(problem: Any) -> str:
    """One mistake of pydantic's, as key, what is wrong and what to do."""
    where = _key(problem["loc"]) or "the file"
    kind, given = problem["type"], problem.get("input")
    if kind == "extra_forbidden":
        allowed = ", ".join(sorted(_fields_at(problem["loc"][:-1])))
        return f"{where} is not a known key; remove it or use one of: {allowed}."
    if kind == "missing":
        return f"{where} is missing; add it."
    if kind == "value_error":
        return f"{where}: {problem['ctx']['error']}." if where != "the file" else f"{problem['ctx']['error']}."
    if kind == "literal_error":
        return f"{where} is {_shown(given)}; use one of: {problem['ctx']['expected']}."
    # What stands under channels may be an address that somebody wrote there instead of its variable's name; an option
    # of a storage may be its password.
    is_secret = problem["loc"][:1] in (("channels",), ("site",))
    text = f"{problem['msg'][0].lower()}{problem['msg'][1:]}"
    return f"{where} is {'wrong' if is_secret else _shown(given)}, but {text}; correct it."


def _key(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        named = part if isinstance(part, int) or re.fullmatch(r"[\w-]+", part) else _shown(part)
        text += f"[{named}]" if isinstance(part, int) else f".{named}" if text else str(named)
    return text


def _fields_at(location: tuple[int | str, ...]) -> set[str]:
    """The names of the keys that metrics.yaml may have at a place."""
    model: Any = Settings
    for part in location:
        if isinstance(part, int) or not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        if part not in model.model_fields:
            continue  # a name of the user's, such as a channel's
        annotation = model.model_fields[part].annotation
        arguments = getattr(annotation, "__args__", ())
        nested = [a for a in (annotation, *arguments) if isinstance(a, type) and issubclass(a, BaseModel)]
        model = nested[0] if nested else None
    return set(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else set()
