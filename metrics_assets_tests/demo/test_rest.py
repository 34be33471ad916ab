"""What the REST API shows besides repositories, commits and releases."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from metrics_assets.demo.changes import archived, emptied, renamed, unavailable
from metrics_assets.demo.history import History, Repository
from metrics_assets.demo.nodes import when
from metrics_assets.demo.organisation import sample_organisation
from metrics_assets.demo.server import DemoServer
from metrics_assets.demo.synthetic import large_repository
from metrics_assets_tests.demo.asking import ask, serving

# An RSA key that exists for this test only.
MODULUS = int(
    "dffe28052259eb03f866fc52d54083b0b21d31bdd567fb998507a7f192dded516eaa527fa9b3b2d34c625af42ef85dab6d55f20ffbbf30b3"
    "9a81a186f1995e348f7260b346c07755ddabc232a855a51250ae603e8ff23bed7ea420d8d17329d25c9a4adf0cb49881c8c720913c3924ff"
    "6052c6426a256284b987923c7c8747fd",
    16,
)
PRIVATE_EXPONENT = int(
    "a2c8863514fddbfa0ab06d77955b495944584b29f6c996e3bef60d6b569cca3780016feb2f5d54fc926a7847354b72677f1212d4e2d3d384"
    "f3287a4723959e0ba02904e118b8cfbf2cced96f436f06e8d469570ec489442078efbf1627f89889ac3b16d0bdc80f9d613962e91f831a6a"
    "9ba903e49c209fe96e2bff1b146a3251",
    16,
)
PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDf/igFIlnrA/hm/FLVQIOwsh0x
vdVn+5mFB6fxkt3tUW6qUn+ps7LTTGJa9C74XattVfIP+78ws5qBoYbxmV40j3Jg
s0bAd1Xdq8IyqFWlElCuYD6P8jvtfqQg2NFzKdJcmkrfDLSYgcjHIJE8OST/YFLG
QmolYoS5h5I8fIdH/QIDAQAB
-----END PUBLIC KEY-----"""
PUBLIC_KEY_PKCS1 = """-----BEGIN RSA PUBLIC KEY-----
MIGJAoGBAN/+KAUiWesD+Gb8UtVAg7CyHTG91Wf7mYUHp/GS3e1RbqpSf6mzstNM
Ylr0Lvhdq21V8g/7vzCzmoGhhvGZXjSPcmCzRsB3Vd2rwjKoVaUSUK5gPo/yO+1+
pCDY0XMp0lyaSt8MtJiByMcgkTw5JP9gUsZCaiVihLmHkjx8h0f9AgMBAAE=
-----END RSA PUBLIC KEY-----"""


@pytest.fixture(scope="module")
def aurora() -> History:
    return sample_organisation()


@pytest.fixture(scope="module")
def client(aurora: History) -> Iterator[httpx.Client]:
    with serving(aurora) as (_, opened):
        yield opened


def repository(history: History, name: str) -> Repository:
    found = history.repository(f"aurora/{name}")
    assert found is not None
    return found


def everything(client: httpx.Client, url: str) -> list[dict[str, Any]]:
    """All rows of a list, along its links."""
    rows: list[dict[str, Any]] = []
    following: str | None = url
    while following:
        answer = client.get(following)
        assert answer.status_code == 200
        body = answer.json()
        rows += body if isinstance(body, list) else next(value for value in body.values() if isinstance(value, list))
        following = answer.links.get("next", {}).get("url")
    return rows


def test_review_comments_since_a_time(client: httpx.Client, aurora: History) -> None:
    comments = sorted(repository(aurora, "api").review_comments, key=lambda one: (one.updated_at, one.id))
    since = comments[600].updated_at
    url = f"/repos/aurora/api/pulls/comments?since={when(since)}&sort=updated&direction=asc&per_page=100"
    rows = everything(client, url)
    assert [row["id"] for row in rows] == [one.id for one in comments if one.updated_at >= since]
    assert len(rows) > 100
    shown, wanted = rows[0], comments[600]
    assert shown["pull_request_review_id"] == wanted.review_id
    assert shown["pull_request_url"].endswith(f"/repos/aurora/api/pulls/{wanted.number}")
    assert {one.get("in_reply_to_id") for one in rows} == {one.in_reply_to for one in comments[600:]}
    assert all("in_reply_to_id" not in row or row["in_reply_to_id"] for row in rows)
    oldest = client.get("/repos/aurora/api/pulls/comments?per_page=1").json()
    newest = client.get("/repos/aurora/api/pulls/comments?per_page=1&sort=created").json()
    assert oldest[0]["created_at"] < newest[0]["created_at"]


def test_first_comments_of_reviews_name_the_review_of_graphql(client: httpx.Client, aurora: History) -> None:
    comment = next(one for one in repository(aurora, "api").review_comments if one.in_reply_to is None)
    query = "query($id: ID!) { node(id: $id) { ... on PullRequest { timelineItems(first: 100, itemTypes: [PULL_REQUEST_REVIEW]) { nodes { ... on PullRequestReview { databaseId } } } } } }"  # noqa: E501
    body = ask(client, query, id=f"PR_{repository(aurora, 'api').id}_{comment.number}")
    assert {"databaseId": comment.review_id} in body["data"]["node"]["timelineItems"]["nodes"]


@pytest.mark.parametrize(
    ("created", "first", "last"),
    [
        ("2025-09-01..2025-09-02", "2025-09-01T00:00:00Z", "2025-09-02T23:59:59Z"),
        ("2025-09-01T12:00:00Z..2025-09-02T06:00:00Z", "2025-09-01T12:00:00Z", "2025-09-02T06:00:00Z"),
        (">=2025-12-20", "2025-12-20T00:00:00Z", "9"),
        (">2025-12-20", "2025-12-21T00:00:00Z", "9"),
        ("<2025-06-05", "2", "2025-06-04T23:59:59Z"),
        ("*..2025-06-05", "2", "2025-06-05T23:59:59Z"),
        ("2025-09-03", "2025-09-03T00:00:00Z", "2025-09-03T23:59:59Z"),
    ],
)
def test_runs_of_a_time(client: httpx.Client, aurora: History, created: str, first: str, last: str) -> None:
    rows = everything(
        client, str(httpx.URL("/repos/aurora/web/actions/runs", params={"created": created, "per_page": "100"}))
    )
    runs = repository(aurora, "web").workflow_runs
    wanted = [run for run in runs if first <= (when(run.created_at) or "") <= last]
    assert {row["id"] for row in rows} == {run.id for run in wanted}
    assert rows
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)


def test_a_filtered_query_shows_a_thousand_runs_at_most() -> None:
    with serving(large_repository(0, 0, 5, 0, workflow_runs=1300)) as (_, client):
        path = "/repos/synthetic/large/actions/runs"
        answer = client.get(path, params={"created": ">=2024-01-01", "per_page": 100})
        assert answer.json()["total_count"] == 1300
        filtered = everything(client, f"{path}?created=%3E%3D2024-01-01&per_page=100")
        assert len(filtered) == 1000
        assert client.get(path, params={"created": ">=2024-01-01", "page": 34}).json()["workflow_runs"][10:] == []
        assert len(everything(client, f"{path}?per_page=100")) == 1300


def test_jobs_of_a_run(client: httpx.Client, aurora: History) -> None:
    run = repository(aurora, "api").workflow_runs[40]
    body = client.get(f"/repos/aurora/api/actions/runs/{run.id}/jobs").json()
    assert body["total_count"] == len(run.jobs) > 1
    assert [(job["id"], job["conclusion"]) for job in body["jobs"]] == [(job.id, job.conclusion) for job in run.jobs]
    assert client.get("/repos/aurora/api/actions/runs/1/jobs").status_code == 404


def test_contributors(client: httpx.Client, aurora: History) -> None:
    rows = everything(client, "/repos/aurora/aurora-py/contributors?anon=1&per_page=100")
    named = everything(client, "/repos/aurora/aurora-py/contributors?per_page=100")
    assert [row for row in rows if row["type"] != "Anonymous"] == named
    anonymous = [row for row in rows if row["type"] == "Anonymous"]
    assert {"name", "email", "contributions", "type"} == anonymous[0].keys()
    counts = [row["contributions"] for row in rows]
    assert counts == sorted(counts, reverse=True)
    played = repository(aurora, "aurora-py")
    assert sum(counts) == len(played.commits) + sum(one.commits for one in played.contributors)
    assert client.get("/repos/aurora/sandbox/contributors").status_code == 204


def test_advisories_that_are_not_published_are_for_administrators(aurora: History) -> None:
    library = repository(aurora, "aurora-py")
    states = Counter(one.state for one in library.security_advisories)
    assert len(states) == 3
    with serving(aurora) as (server, client):
        seen = everything(client, "/repos/aurora/aurora-py/security-advisories?per_page=1")
        assert Counter(row["state"] for row in seen) == states
        alerts = everything(client, "/repos/aurora/aurora-py/dependabot/alerts?per_page=4")
        assert [row["number"] for row in alerts] == list(range(9, 0, -1))
        server.play(replace(aurora, repositories=(replace(library, permission="WRITE"),)))
        seen = everything(client, "/repos/aurora/aurora-py/security-advisories")
        assert {row["state"] for row in seen} == {"published"}
        assert client.get("/repos/aurora/aurora-py/dependabot/alerts").status_code == 403


def test_traffic_of_two_weeks_for_those_who_may_push(client: httpx.Client, aurora: History) -> None:
    views = client.get("/repos/aurora/toolkit/traffic/views").json()
    days = [row["timestamp"] for row in views["views"]]
    assert (days[0], days[-1], len(days)) == ("2025-12-19T00:00:00Z", "2025-12-31T00:00:00Z", 13)
    played = {day.date: day for day in repository(aurora, "toolkit").traffic}
    assert views["views"][-1]["uniques"] == played[date(2025, 12, 31)].visitors
    assert views["count"] == sum(day.views for day in played.values() if day.date >= date(2025, 12, 19))
    clones = client.get("/repos/aurora/toolkit/traffic/clones").json()
    assert clones["clones"][0]["count"] == played[date(2025, 12, 19)].clones
    paths = client.get("/repos/aurora/toolkit/traffic/popular/paths").json()
    assert paths[0].keys() == {"path", "title", "count", "uniques"}
    assert client.get("/repos/aurora/toolkit/traffic/popular/referrers").json()[0].keys() == {
        "referrer",
        "count",
        "uniques",
    }
    for path in ("views", "clones", "popular/paths", "popular/referrers"):
        refused = client.get(f"/repos/aurora/legacy/traffic/{path}")
        assert (refused.status_code, refused.json()) == (403, {"message": "Must have push access to repository"})


def test_milestones_count_pull_requests_too(client: httpx.Client, aurora: History) -> None:
    played = repository(aurora, "aurora-py")
    shown = everything(client, "/repos/aurora/aurora-py/milestones?state=all")
    assert [row["title"] for row in shown] == [one.title for one in played.milestones]
    for row in shown:
        items = [one for one in (*played.issues, *played.pull_requests) if one.milestone == row["number"]]
        assert row["open_issues"] + row["closed_issues"] == len(items)
        assert row["open_issues"] == sum(one.state == "OPEN" for one in items)
    assert {row["state"] for row in everything(client, "/repos/aurora/aurora-py/milestones")} == {"open"}


@pytest.mark.parametrize(
    "path", ["pulls/comments", "actions/runs", "traffic/views", "security-advisories", "milestones"]
)
def test_lists_have_etags(client: httpx.Client, path: str) -> None:
    first = client.get(f"/repos/aurora/api/{path}")
    again = client.get(f"/repos/aurora/api/{path}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.headers["X-RateLimit-Used"]) == (304, first.headers["X-RateLimit-Used"])


# --- repositories that are not what they were ---


@pytest.mark.parametrize(("status", "kind"), [(404, "NOT_FOUND"), (410, "NOT_FOUND"), (451, "FORBIDDEN")])
def test_a_repository_is_withheld(aurora: History, status: int, kind: str) -> None:
    query = (
        '{ a: repository(owner: "aurora", name: "api") { id } b: repository(owner: "aurora", name: "web") { name } }'
    )
    with serving(unavailable(aurora, "aurora/api", status)) as (_, client):
        assert client.get("/repos/aurora/api/milestones").status_code == status
        body = ask(client, query)
    assert body["data"] == {"a": None, "b": {"name": "web"}}
    assert (body["errors"][0]["type"], body["errors"][0]["path"]) == (kind, ["a"])


def test_a_repository_is_renamed_archived_and_emptied(aurora: History) -> None:
    history = renamed(aurora, "aurora/api", "elsewhere/edge")
    history = archived(emptied(history, "aurora/web"), "aurora/search")
    query = "query($o: String!, $n: String!) { repository(owner: $o, name: $n) { nameWithOwner isEmpty isArchived } }"
    with serving(history) as (_, client):
        for old in ("api", "gateway"):
            moved = client.get(f"/repos/aurora/{old}")
            assert moved.status_code == 301
            assert client.get(moved.headers["Location"]).json()["full_name"] == "elsewhere/edge"
            found = ask(client, query, o="aurora", n=old)["data"]["repository"]
            assert found == {"nameWithOwner": "elsewhere/edge", "isEmpty": False, "isArchived": False}
        assert client.get("/repos/aurora/web/commits").status_code == 409
        assert ask(client, query, o="aurora", n="web")["data"]["repository"]["isEmpty"]
        assert client.get("/repos/aurora/search").json()["archived"]


# --- tokens of apps ---


def signed(claims: dict[str, Any], algorithm: str = "RS256") -> str:
    """A JSON Web Token with the test's key."""

    def text(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    content = ".".join(text(json.dumps(part).encode()) for part in ({"alg": algorithm, "typ": "JWT"}, claims))
    digest = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(content.encode()).digest()
    padded = b"\x00\x01" + b"\xff" * (128 - len(digest) - 3) + b"\x00" + digest
    signature = pow(int.from_bytes(padded, "big"), PRIVATE_EXPONENT, MODULUS).to_bytes(128, "big")
    return f"{content}.{text(signature)}"


def asked_with(server: DemoServer, token: str) -> httpx.Response:
    url = f"{server.url}/app/installations/77/access_tokens"
    return httpx.post(url, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("key", [PUBLIC_KEY, PUBLIC_KEY_PKCS1])
def test_an_app_gets_a_token_that_ends(aurora: History, key: str) -> None:
    good = signed({"iss": "12", "iat": int(time.time()) - 60, "exp": int(time.time()) + 540})
    with DemoServer(aurora, app_public_key=key, token_seconds=0.6) as server:
        answer = asked_with(server, good)
        assert answer.status_code == 201
        token = answer.json()["token"]
        assert token.startswith("ghs_")
        assert answer.json()["expires_at"] == when(aurora.now + timedelta(seconds=0.6))
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{server.url}/user", headers=headers).status_code == 200
        time.sleep(0.65)
        assert httpx.get(f"{server.url}/user", headers=headers).status_code == 401
        forged = good[:-6] + ("AAAAAA" if good[-6:] != "AAAAAA" else "BBBBBB")
        assert asked_with(server, forged).status_code == 401


@pytest.mark.parametrize(
    "token",
    [
        "not-a-token",
        "a.b.c",
        signed({"exp": time.time() + 300}),
        signed({"iss": "12"}),
        signed({"iss": "12", "exp": time.time() - 90_000}),
        signed({"iss": "12", "exp": time.time() + 90_000}),
        signed({"iss": "12", "exp": time.time() + 300}, algorithm="HS256"),
    ],
)
def test_other_tokens_are_refused(aurora: History, token: str) -> None:
    with DemoServer(aurora) as server:
        assert asked_with(server, token).status_code == 401
