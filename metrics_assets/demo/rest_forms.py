"""The things of a history as the REST API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics_assets.demo.forms import suite_id, when
from metrics_assets.demo.history import (
    Commit,
    Contributor,
    DependabotAlert,
    Issue,
    Job,
    Milestone,
    PullRequest,
    Release,
    Repository,
    ReviewComment,
    SecurityAdvisory,
    TrafficSource,
    User,
    WorkflowRun,
    stable_number,
)
from metrics_assets.demo.nodes import RepositoryNodes

Form = dict[str, Any]

PERMISSIONS = ("READ", "TRIAGE", "WRITE", "MAINTAIN", "ADMIN")
REST_PERMISSION = {"READ": "pull", "TRIAGE": "triage", "WRITE": "push", "MAINTAIN": "maintain", "ADMIN": "admin"}


def may(repository: Repository, permission: str) -> bool:
    """Whether whoever asks has at least this permission."""
    return PERMISSIONS.index(repository.permission) >= PERMISSIONS.index(permission)


def account(user: User) -> Form:
    """An account as REST shows it, where a bot's login ends in [bot]."""
    number = stable_number(f"{user.kind} {user.login}", digits=8)
    return {
        "login": f"{user.login}[bot]" if user.kind == "Bot" else user.login,
        "id": number,
        "node_id": f"{user.kind[0]}_{number}",
        "type": user.kind,
        "site_admin": False,
    }


def _account(user: User | None) -> Form | None:
    return account(user) if user else None


def repository(one: Repository) -> Form:
    """A repository."""
    return {
        "id": one.id,
        "node_id": f"R_{one.id}",
        "name": one.name,
        "full_name": one.full_name,
        "owner": account(User(one.owner, "Organization")),
        "private": one.is_private,
        "fork": one.is_fork,
        "archived": one.is_archived,
        "disabled": False,
        "has_issues": one.has_issues,
        "has_discussions": bool(one.discussions),
        "default_branch": one.default_branch or "main",
        "description": one.description,
        "language": one.language,
        "license": _license(one.license),
        "topics": list(one.topics),
        "created_at": when(one.created_at),
        "pushed_at": when(one.pushed_at),
        "updated_at": when(one.pushed_at or one.created_at),
        "stargazers_count": len(one.stars),
        "watchers_count": len(one.stars),
        "forks_count": len(one.forks),
        "subscribers_count": one.watchers,
        "open_issues_count": _open(one.issues) + _open(one.pull_requests),
        "permissions": {name: may(one, permission) for permission, name in REST_PERMISSION.items()},
        "size": len(one.commits) * 3,
    }


def _open(items: Sequence[Issue | PullRequest]) -> int:
    return sum(item.state == "OPEN" for item in items)


def _license(spdx: str | None) -> dict[str, str] | None:
    return {"key": spdx.lower(), "name": spdx, "spdx_id": spdx} if spdx else None


def commit(one: Commit) -> Form:
    """A commit."""
    signature = {"name": one.author.login if one.author else "", "email": one.author_email}
    return {
        "sha": one.sha,
        "node_id": f"C_{one.sha}",
        "commit": {
            "author": signature | {"date": when(one.authored_at)},
            "committer": signature | {"date": when(one.committed_at)},
            "message": one.message,
            "comment_count": 0,
        },
        "author": _account(one.author),
        "committer": _account(one.author),
        "parents": [{"sha": parent} for parent in one.parents],
    }


def release(one: Release) -> Form:
    """A release with its files."""
    return {
        "id": one.id,
        "node_id": f"RE_{one.id}",
        "tag_name": one.tag,
        "name": one.name,
        "draft": one.is_draft,
        "prerelease": one.is_prerelease,
        "author": _account(one.author),
        "created_at": when(one.created_at),
        "updated_at": when(one.updated_at),
        "published_at": when(one.published_at),
        "assets": [
            {
                "id": asset.id,
                "name": asset.name,
                "size": asset.size,
                "download_count": asset.downloads,
                "created_at": when(asset.created_at),
                "updated_at": when(asset.created_at),
            }
            for asset in one.assets
        ],
    }


def review_comment(one: ReviewComment, nodes: RepositoryNodes, base: str) -> Form:
    """A comment on a line of a pull request."""
    form: Form = {
        "id": one.id,
        "node_id": f"PRRC_{nodes.repository.id}_{one.id}",
        "pull_request_review_id": one.review_id,
        "pull_request_url": f"{base}/repos/{nodes.repository.full_name}/pulls/{one.number}",
        "user": _account(one.author),
        "path": one.path,
        "created_at": when(one.created_at),
        "updated_at": when(one.updated_at),
    }
    return form | {"in_reply_to_id": one.in_reply_to} if one.in_reply_to is not None else form


def workflow_run(one: WorkflowRun, nodes: RepositoryNodes) -> Form:
    """A run of a workflow."""
    return {
        "id": one.id,
        "node_id": f"WFR_{nodes.repository.id}_{one.id}",
        "check_suite_id": stable_number(f"suite {one.id}"),
        "check_suite_node_id": suite_id(nodes, one),
        "workflow_id": one.workflow_id,
        "name": one.name,
        "run_number": one.number,
        "run_attempt": one.attempt,
        "event": one.event,
        "head_branch": one.branch,
        "head_sha": one.sha,
        "status": one.status,
        "conclusion": one.conclusion,
        "actor": _account(one.actor),
        "created_at": when(one.created_at),
        "run_started_at": when(one.started_at),
        "updated_at": when(one.updated_at),
    }


def job(one: Job, run: WorkflowRun) -> Form:
    """A job of a run."""
    return {
        "id": one.id,
        "run_id": run.id,
        "run_attempt": run.attempt,
        "name": one.name,
        "head_sha": run.sha,
        "status": one.status,
        "conclusion": one.conclusion,
        "created_at": when(run.created_at),
        "started_at": when(one.started_at),
        "completed_at": when(one.completed_at),
    }


def contributor(one: Contributor) -> Form:
    """Somebody who wrote commits: an account, or a name and an address."""
    if one.user is None:
        return {"type": "Anonymous", "email": one.email, "name": one.name, "contributions": one.commits}
    return account(one.user) | {"contributions": one.commits}


def milestone(one: Milestone, nodes: RepositoryNodes) -> Form:
    """A milestone; REST counts issues and pull requests together."""
    items = nodes.by_milestone.get(one.number, [])
    opened = sum(item.state == "OPEN" for item in items)
    return {
        "id": stable_number(f"milestone {nodes.repository.full_name} {one.number}"),
        "node_id": f"MI_{nodes.repository.id}_{one.number}",
        "number": one.number,
        "title": one.title,
        "description": one.description,
        "state": one.state.lower(),
        "open_issues": opened,
        "closed_issues": len(items) - opened,
        "created_at": when(one.created_at),
        "updated_at": when(one.updated_at),
        "due_on": when(one.due_on),
        "closed_at": when(one.closed_at),
    }


def security_advisory(one: SecurityAdvisory) -> Form:
    """A security advisory of a repository."""
    return {
        "ghsa_id": one.ghsa_id,
        "cve_id": one.cve_id,
        "summary": one.summary,
        "severity": one.severity,
        "state": one.state,
        "created_at": when(one.created_at),
        "updated_at": when(one.updated_at),
        "published_at": when(one.published_at),
        "closed_at": None,
        "withdrawn_at": when(one.withdrawn_at),
    }


def dependabot_alert(one: DependabotAlert) -> Form:
    """An alert about a dependency."""
    package = {"ecosystem": one.ecosystem, "name": one.package}
    advisory = {"ghsa_id": one.ghsa_id, "cve_id": None, "summary": f"{one.package} is vulnerable"}
    return {
        "number": one.number,
        "state": one.state,
        "dependency": {"package": package, "manifest_path": "manifest", "scope": "runtime"},
        "security_advisory": advisory | {"severity": one.severity},
        "security_vulnerability": {"package": package, "severity": one.severity},
        "created_at": when(one.created_at),
        "updated_at": when(one.updated_at),
        "dismissed_at": when(one.dismissed_at),
        "fixed_at": when(one.fixed_at),
        "auto_dismissed_at": None,
    }


def traffic_source(one: TrafficSource, kind: str) -> Form:
    """A site that visitors came from, or a path that they looked at; `kind` is 'referrer' or 'path'."""
    title = {"title": one.name.rpartition("/")[2]} if kind == "path" else {}
    return {kind: one.name, **title, "count": one.views, "uniques": one.visitors}
