"""Answers as the platforms give them, in a few words each."""

from __future__ import annotations

from typing import Any

from metrics_assets_tests.sources.platforms.listening import WORDS, seconds

LOGIN = "margaret-h"


def question(number: int, active: str, created: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "tags": ["httpx", "python"],
        "owner": {"account_id": 9, "reputation": 101, "user_id": 77, "user_type": "registered", "display_name": LOGIN},
        "is_answered": True,
        "view_count": 20,
        "answer_count": 0,
        "score": 3,
        "last_activity_date": seconds(active),
        "creation_date": seconds(created or active),
        "question_id": number,
        "link": f"https://stackoverflow.com/questions/{number}",
        "title": f"How? {WORDS}",
        "body": f"<p>{WORDS}</p>",
        **more,
    }


def answer(number: int, question_id: int, active: str, **more: Any) -> dict[str, Any]:
    return {
        "owner": {"user_type": "does_not_exist", "display_name": LOGIN},
        "is_accepted": False,
        "score": -1,
        "last_activity_date": seconds(active),
        "creation_date": seconds(active),
        "answer_id": number,
        "question_id": question_id,
        "body": f"<p>{WORDS}</p>",
        **more,
    }


def wrapper(*items: dict[str, Any], has_more: bool = False, **more: Any) -> dict[str, Any]:
    return {"items": list(items), "has_more": has_more, "quota_max": 300, "quota_remaining": 250, **more}


def hit(number: int, at: int, kind: str = "story", **more: Any) -> dict[str, Any]:
    text = {"title": WORDS, "url": "https://example.org"} if kind == "story" else {"comment_text": f"<p>{WORDS}"}
    return {
        "_tags": [kind, f"author_{LOGIN}", f"story_{number}"],
        "author": LOGIN,
        "created_at_i": at,
        "objectID": str(number),
        "points": 12 if kind == "story" else None,
        "num_comments": 4 if kind == "story" else None,
        **text,
        **more,
    }


def found(*hits: dict[str, Any], number: int | None = None) -> dict[str, Any]:
    return {"hits": list(hits), "nbHits": len(hits) if number is None else number, "page": 0, "nbPages": 1}


def about_forum(**stats: int) -> dict[str, Any]:
    return {"about": {"title": "Forum", "stats": {"users_count": 120, "topics_count": 40, "posts_count": 300, **stats}}}


def topic(number: int, created: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "title": f"{WORDS} {number}",
        "slug": "a-topic",
        "posts_count": 5,
        "like_count": 2,
        "created_at": f"2025-{created.replace(' ', 'T')}:00.000Z",
        "last_posted_at": f"2025-{created.replace(' ', 'T')}:30.000Z",
        "pinned": False,
        "posters": [
            {"user_id": 2, "description": "Most Recent Poster"},
            {"user_id": 1, "description": "Original Poster, Frequent Poster"},
        ],
        **more,
    }


def latest(*topics: dict[str, Any], more: bool = False) -> dict[str, Any]:
    link = {"more_topics_url": "/latest?no_definitions=true&page=1"} if more else {}
    users = [{"id": 1, "username": LOGIN, "name": None}, {"id": 2, "username": "someone"}]
    return {"users": users, "topic_list": {"per_page": 30, "topics": list(topics), **link}}


INVITE = {
    "type": 0,
    "code": "abc",
    "guild": {"id": "1", "name": "A server"},
    "inviter": {"id": "5", "username": LOGIN},
    "approximate_member_count": 1234,
    "approximate_presence_count": 56,
}


def channel(**statistics: Any) -> dict[str, Any]:
    counted = {"viewCount": "98765", "subscriberCount": "123000", "hiddenSubscriberCount": False, "videoCount": "3"}
    return {
        "items": [
            {
                "id": "UC1",
                "statistics": counted | statistics,
                "contentDetails": {"relatedPlaylists": {"likes": "", "uploads": "UU1"}},
            }
        ]
    }


def uploads(*videos: tuple[str, str], token: str | None = None) -> dict[str, Any]:
    items = [
        {"contentDetails": {"videoId": name, "videoPublishedAt": f"2025-{at.replace(' ', 'T')}:00Z"}}
        for name, at in videos
    ]
    return {"items": items, **({"nextPageToken": token} if token else {})}


def statistics(*names: str) -> dict[str, Any]:
    return {"items": [{"id": name, "statistics": {"likeCount": "7", "commentCount": "2"}} for name in names]}


def subreddit() -> dict[str, Any]:
    return {"kind": "t5", "data": {"subscribers": 5000, "active_user_count": None, "public_description": WORDS}}


def post(name: str, at: int, **more: Any) -> dict[str, Any]:
    data = {
        "id": name,
        "author": LOGIN,
        "created_utc": float(at),
        "edited": False,
        "title": WORDS,
        "selftext": "",
        "score": 10,
        "num_comments": 3,
        **more,
    }
    return {"kind": "t3", "data": data}


def listing(*posts: dict[str, Any], after: str | None = None) -> dict[str, Any]:
    return {"kind": "Listing", "data": {"after": after, "before": None, "children": list(posts)}}


def x_user() -> dict[str, Any]:
    metrics = {"followers_count": 900, "following_count": 1, "tweet_count": 44, "listed_count": 2}
    return {"data": {"id": "1", "name": "A project", "username": "project", "public_metrics": metrics}}


def x_counts(*days: tuple[str, str, int]) -> dict[str, Any]:
    buckets = [
        {
            "start": f"2025-{start.replace(' ', 'T')}:00.000Z",
            "end": f"2025-{end.replace(' ', 'T')}:00.000Z",
            "tweet_count": n,
        }
        for start, end, n in days
    ]
    return {"data": buckets, "meta": {"total_tweet_count": sum(n for *_, n in days)}}
