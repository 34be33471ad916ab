"""Links to acknowledge, and the page behind them: opening it changes nothing, its buttons do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa
import uvicorn

from metrics_assets.alerting.acknowledging import acknowledge_app, acknowledge_key, acknowledge_link, token_of
from metrics_assets_tests.alerting.conditions import NOW, condition, record, settings

KEY = acknowledge_key(b"the secret of an installation")
WITH_PAGE = settings("oncall", acknowledge_url="https://alerts.example.org/m")


@pytest.fixture
def page(warehouse: sa.Engine) -> Iterator[httpx.Client]:
    record(warehouse, condition(1, "breached"))
    app = acknowledge_app(warehouse, WITH_PAGE, KEY, lambda: NOW)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def alert(engine: sa.Engine) -> sa.Row:  # type: ignore[type-arg]
    with engine.connect() as connection:
        return connection.execute(
            sa.text(
                "select alert_id, state, acknowledged_by, acknowledge_note, outcome, decided_by, note "
                "from ops.alerts left join ops.alert_outcomes using (alert_id)"
            )
        ).one()


def path(alert_id: int, token: str | None = None) -> str:
    return f"/alerts/{alert_id}?token={token_of(alert_id, KEY) if token is None else token}"


def press(page: httpx.Client, alert_id: int, **form: str) -> httpx.Response:
    return page.post(path(alert_id), data=form)


def test_a_link_is_of_one_alert_and_of_one_installation() -> None:
    link = acknowledge_link(7, WITH_PAGE, KEY)
    assert link == f"https://alerts.example.org/m/alerts/7?token={token_of(7, KEY)}"
    assert len({token_of(7, KEY), token_of(8, KEY), token_of(7, acknowledge_key(b"another secret"))}) == 3
    assert acknowledge_link(7, settings("oncall"), KEY) is None
    assert acknowledge_link(7, WITH_PAGE, None) is None


def test_opening_the_page_shows_the_alert_and_changes_nothing(page: httpx.Client, warehouse: sa.Engine) -> None:
    before = alert(warehouse)
    for method in ("GET", "HEAD"):
        assert page.request(method, path(before.alert_id)).status_code == 200
    answer = page.get(path(before.alert_id))
    assert "Fewer deployments" in answer.text
    assert "acme/api" in answer.text
    assert "1 against 8." in answer.text
    assert "Acknowledge</button>" in answer.text
    assert "<script" not in answer.text
    assert alert(warehouse) == before
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert page.get("/alerts/style.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("token", ["", "wrong", "ä", token_of(99, KEY)])
def test_a_wrong_token_shows_and_changes_nothing(page: httpx.Client, warehouse: sa.Engine, token: str) -> None:
    before = alert(warehouse)
    shown = page.get(path(before.alert_id, token))
    pressed = page.post(path(before.alert_id, token), data={"action": "acknowledge"})
    for answer in (shown, pressed):
        assert answer.status_code == 403
        assert answer.text.startswith("This link is not valid for this alert; open the one of the message again")
        assert "acme/api" not in answer.text
    assert alert(warehouse) == before


def test_the_buttons_acknowledge_and_judge(page: httpx.Client, warehouse: sa.Engine) -> None:
    number = alert(warehouse).alert_id
    answer = press(page, number, action="acknowledge", by="Ann <b>", note="on it")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{number}?token={token_of(number, KEY)}")
    assert press(page, number, action="noise", note="a holiday").status_code == 303
    found = alert(warehouse)
    assert tuple(found)[1:] == (
        "acknowledged", "Ann <b>", "on it", "noise", "somebody with the link", "a holiday"
    )  # fmt: skip
    shown = page.get(path(number)).text
    assert "Acknowledged by Ann &lt;b&gt; at 2025-12-02 01:00 UTC: on it" in shown
    assert "somebody with the link called it noise" in shown
    assert "Acknowledge</button>" not in shown
    # Twice is fine, and the newest word counts.
    assert press(page, number, action="acknowledge", by="Bob").status_code == 303
    assert press(page, number, action="useful", by="Bob").status_code == 303
    assert (alert(warehouse).acknowledged_by, alert(warehouse).outcome) == ("Ann <b>", "useful")


def test_what_cannot_be_done_is_a_sentence(page: httpx.Client, warehouse: sa.Engine) -> None:
    number = alert(warehouse).alert_id
    assert press(page, number, action="delete").status_code == 400
    assert press(page, number).status_code == 400
    assert press(page, number, action="noise", note="x" * 20_000).status_code == 413
    assert page.get(path(number + 1)).text == f"There is no alert {number + 1} any more.\n"
    record(warehouse, condition(2, "fine"))
    ended = press(page, number, action="acknowledge")
    assert (ended.status_code, "has ended" in ended.text) == (409, True)
    assert "It has ended on 2025-12-02" in page.get(path(number)).text
