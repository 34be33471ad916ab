"""Titles and labels of pull requests and issues, put together from what each repository is about."""

from __future__ import annotations

from metrics_assets.demo.dice import Dice

SUBJECTS: dict[str, tuple[str, ...]] = {
    "api": (
        "rate limiter", "token refresh", "audit log", "webhook delivery", "pagination", "tenant lookup",
        "request tracing", "health endpoint", "cache warm-up", "connection pool", "schema migration",
        "export job", "permission check", "background queue", "idempotency keys",
    ),
    "web": (
        "sign-in form", "navigation bar", "dark mode", "settings page", "date picker", "empty states",
        "image loading", "keyboard focus", "invoice table", "search box", "error toast", "bundle size",
        "translations", "onboarding tour", "chart legend",
    ),
    "billing": (
        "VAT rounding", "invoice numbering", "dunning e-mails", "refund flow", "currency conversion",
        "ledger export", "card retries", "proration", "credit notes", "subscription pause",
    ),
    "search": (
        "synonym list", "ranking weights", "index rebuild", "query parser", "typo tolerance", "facet counts",
        "embedding cache", "shard balancing", "suggestions", "stop words", "result snippets",
    ),
    "aurora-py": (
        "async client", "retry policy", "type hints", "streaming responses", "proxy support", "timeouts",
        "connection reuse", "error messages", "pagination helper", "upload helper", "multipart bodies",
    ),
    "toolkit": ("plugin loader", "config file", "progress bar", "shell completion", "exit codes"),
    "legacy": ("cron jobs", "report mailer", "import script", "old dashboard"),
}  # fmt: skip

CHANGES = (
    "Fix {}", "Improve {}", "Add tests for {}", "Refactor {}", "Simplify {}", "Speed up {}",
    "Handle missing values in {}", "Document {}", "Make {} configurable", "Correct {} on slow connections",
    "Remove unused code from {}", "Add metrics to {}", "Show a clear message when {} fails",
)  # fmt: skip
REQUESTS = (
    "{} fails with large accounts", "Question about {}", "Feature request: better {}", "Regression in {}",
    "Unexpected result from {}", "Docs for {} are out of date", "{} breaks on Windows",
    "{} is slow since last week", "Allow to switch off {}", "{}: wrong default",
    "Support time zones in {}", "Flaky test in {}",
)  # fmt: skip
OUTAGES = (
    "Elevated error rate in {}", "{} is down", "Latency of {} above 5 s", "Customers report failures in {}",
    "Data shown twice by {}", "Timeouts in {}",
)  # fmt: skip
PACKAGES = (
    "requests",
    "lodash",
    "pydantic",
    "eslint",
    "vite",
    "sqlalchemy",
    "urllib3",
    "rollup",
    "numpy",
    "axios",
)
CHANGE_LABELS = ("bug", "enhancement", "documentation", "refactoring", "tests")
REQUEST_LABELS = ("bug", "enhancement", "question", "documentation", "good first issue")


def change(dice: Dice, repository: str) -> str:
    """The title of a person's pull request."""
    return dice.pick(CHANGES).format(dice.pick(SUBJECTS[repository]))


def request(dice: Dice, repository: str) -> str:
    """The title of an issue."""
    return _sentence(dice.pick(REQUESTS).format(dice.pick(SUBJECTS[repository])))


def outage(dice: Dice, repository: str) -> str:
    """The title of an incident."""
    return _sentence(dice.pick(OUTAGES).format(dice.pick(SUBJECTS[repository])))


def update(dice: Dice, bot: str) -> str:
    """The title of a bot's pull request."""
    package, major, minor = dice.pick(PACKAGES), dice.whole(1, 5), dice.whole(1, 20)
    if bot == "renovate":
        return f"Update dependency {package} to v{major}.{minor}"
    return f"Bump {package} from {major}.{minor - 1}.0 to {major}.{minor}.{dice.whole(0, 4)}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
